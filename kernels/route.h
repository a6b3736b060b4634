#pragma once

#include <string_view>

#include "kernels/device.h"

namespace counterfoil {

/// Chooses how the devices "cuda" and "simt" compute matrix products and convolutions from now on:
///   own               the kernels of kernels/cuda;
///   vendor            cuBLAS and cuDNN in f32, by engines that give the same bits twice; where they have none, own;
///   vendor-tf32       the same with operands rounded to TF32, 10 bits of mantissa;
///   benchmark:FILE    the faster of own and vendor: as FILE says, else measured now and written there;
///   table:FILE        as FILE says, which must exist; vendor where it says nothing;
///   auto              vendor on a GPU where the libraries can be had, else own.
/// A run's bits depend on its route, and on FILE; not on times, but in the run that measures.
/// Throws Error on an unknown route, one that cannot be had, and any but auto on other devices.
void set_route(Device& device, std::string_view route);

/// Opens a device (kernels/device.h) that computes so from then on.
Device& open_device(std::string_view name, std::string_view route);

}  // namespace counterfoil
