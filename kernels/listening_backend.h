#pragma once

#include "kernels/backend.h"
#include "kernels/call_listener.h"

namespace counterfoil {

/// Every primitive of another backend, with a listener told before and after each.
class ListeningBackend final : public Backend {
 public:
  /// Both must outlive this object.
  ListeningBackend(Backend& inner, CallListener& listener) : inner_(inner), listener_(&listener) {}
  void set_listener(CallListener& listener) { listener_ = &listener; }

#include "kernels/overrides.inc"

 private:
  template <typename F>
  void tell(const Call& call, F&& f);

  Backend& inner_;
  CallListener* listener_;
};

}  // namespace counterfoil
