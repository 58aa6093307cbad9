#pragma once

#include "cpp/function.hpp"

// max(0, x) + a min(0, x). Parameter: a (A).
struct Prelu : OneParameter<1> {
  template <int>
  static Vector value(Vector x, const Vector* c) {
    return at_least(broadcast(0), x) + c[0] * at_most(broadcast(0), x);
  }
  template <int>
  static Vector slope(Vector x, Vector g, const Vector* c, Vector* sum) {
    const Vector zero = broadcast(0);
    sum[0] += g * at_most(zero, x);
    return x > 0 ? broadcast(1) : x < 0 ? c[0] : zero;
  }
};
