#pragma once

#include "cpp/function.hpp"

// x sigmoid(beta x). Parameter: beta (A).
struct Swish : OneParameter<1> {
  template <int>
  static Vector value(Vector x, const Vector* c) {
    return x / (1 + exponential(-c[0] * x));
  }
  template <int>
  static Vector slope(Vector x, Vector g, const Vector* c, Vector* sum) {
    // sigmoid(z) and sigmoid(-z), which 1 - sigmoid(z) would lose for large z.
    const Vector t = exponential(-c[0] * x), on = 1 / (1 + t), off = t * on;
    const Vector bend = x * on * off;
    sum[0] += g * x * bend;
    return on + c[0] * bend;
  }
};
