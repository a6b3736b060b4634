#pragma once

#include "autograd/convolution.h"
#include "autograd/image.h"
#include "autograd/loss.h"
#include "autograd/matmul.h"
#include "autograd/normalisation.h"
#include "autograd/pointwise.h"
#include "autograd/pooling.h"
#include "autograd/reduction.h"
#include "autograd/shaping.h"
