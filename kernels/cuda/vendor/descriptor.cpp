#include "kernels/cuda/vendor/descriptor.h"

#include <utility>

#include <fmt/format.h>

#include "kernels/error.h"

namespace counterfoil::cuda {

void check(cudnnStatus_t status, std::string_view what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char text[256] = "";
  cudnnGetLastErrorString(text, sizeof text);
  fail("cuDNN: {}: {}{}{}", what, cudnnGetErrorString(status), text[0] != '\0' ? ": " : "", text);
}

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) : type_(type) {
  check(cudnnBackendCreateDescriptor(type, &descriptor_), "cudnnBackendCreateDescriptor");
}

Descriptor::~Descriptor() {
  if (descriptor_ != nullptr) cudnnBackendDestroyDescriptor(descriptor_);
}

Descriptor::Descriptor(Descriptor&& other) noexcept
    : type_(other.type_), descriptor_(std::exchange(other.descriptor_, nullptr)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(type_, other.type_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void Descriptor::set(cudnnBackendAttributeName_t name, std::span<const Descriptor> values) {
  std::vector<cudnnBackendDescriptor_t> handles;
  for (const Descriptor& value : values) handles.push_back(value.descriptor_);
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<std::int64_t>(handles.size()), handles.data());
}

void Descriptor::set(cudnnBackendAttributeName_t name, std::span<const std::int64_t> values) {
  set(name, CUDNN_TYPE_INT64, static_cast<std::int64_t>(values.size()), values.data());
}

void Descriptor::set(cudnnBackendAttributeName_t name, std::span<void* const> values) {
  set(name, CUDNN_TYPE_VOID_PTR, static_cast<std::int64_t>(values.size()), values.data());
}

void Descriptor::set(cudnnBackendAttributeName_t name, std::string_view text) {
  const std::string ended(text);
  set(name, CUDNN_TYPE_CHAR, static_cast<std::int64_t>(ended.size() + 1), ended.c_str());
}

void Descriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
                     const void* values) {
  const cudnnStatus_t status = cudnnBackendSetAttribute(descriptor_, name, type, count, values);
  if (status == CUDNN_STATUS_SUCCESS) return;
  check(status, fmt::format("attribute {} of descriptor {}", static_cast<int>(name), static_cast<int>(type_)));
}

void Descriptor::finalize() {
  const cudnnStatus_t status = cudnnBackendFinalize(descriptor_);
  if (status != CUDNN_STATUS_SUCCESS) check(status, fmt::format("descriptor {}", static_cast<int>(type_)));
}

bool Descriptor::try_finalize() {
  return cudnnBackendFinalize(descriptor_) == CUDNN_STATUS_SUCCESS;
}

std::int64_t Descriptor::get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t room,
                             void* values) const {
  std::int64_t count = 0;
  const cudnnStatus_t status = cudnnBackendGetAttribute(descriptor_, name, type, room, &count, values);
  if (status != CUDNN_STATUS_SUCCESS) {
    check(status, fmt::format("attribute {} of descriptor {}", static_cast<int>(name), static_cast<int>(type_)));
  }
  return count;
}

std::int64_t Descriptor::get_int(cudnnBackendAttributeName_t name) const {
  std::int64_t value = 0;
  get(name, CUDNN_TYPE_INT64, 1, &value);
  return value;
}

std::vector<cudnnBackendNumericalNote_t> Descriptor::get_notes(cudnnBackendAttributeName_t name) const {
  std::vector<cudnnBackendNumericalNote_t> notes(CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  const auto room = static_cast<std::int64_t>(notes.size());
  notes.resize(static_cast<std::size_t>(get(name, CUDNN_TYPE_NUMERICAL_NOTE, room, notes.data())));
  return notes;
}

Descriptor Descriptor::get_object(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type) const {
  Descriptor object(type);
  get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &object.descriptor_);
  return object;
}

std::vector<Descriptor> Descriptor::get_list(cudnnBackendAttributeName_t name,
                                             cudnnBackendDescriptorType_t type) const {
  const std::int64_t count = get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, nullptr);
  std::vector<Descriptor> list;
  std::vector<cudnnBackendDescriptor_t> handles;
  for (std::int64_t i = 0; i < count; ++i) handles.push_back(list.emplace_back(type).descriptor_);
  const std::int64_t found = count > 0 ? get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, handles.data()) : 0;
  list.erase(list.begin() + found, list.end());
  return list;
}

}  // namespace counterfoil::cuda
