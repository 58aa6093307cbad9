#pragma once

#include "cpp/function.hpp"

// max(0, x) + sum_i a_i max(0, b_i - x). Parameters: a (A, S), b (A, S).
template <int S>
struct Apl {
  static constexpr int TERMS = S + 1, COEFFICIENTS = 2 * S;
  static constexpr int SUMS_OF_A_TERM = 2, SUMS = TERMS * SUMS_OF_A_TERM;
  static bool prepare(const float* const* p, std::int64_t a, float* out) {
    for (int i = 0; i < S; ++i) {
      out[i] = p[0][a * S + i];
      out[S + i] = p[1][a * S + i];
    }
    return true;
  }
  template <int i>
  static Vector value(Vector x, const Vector* c) {
    if constexpr (i == S)
      return at_least(broadcast(0), x);
    else
      return c[i] * at_least(broadcast(0), c[S + i] - x);
  }
  template <int i>
  static Vector slope(Vector x, Vector g, const Vector* c, Vector* sum) {
    const Vector zero = broadcast(0);
    if constexpr (i == S) {
      return x > 0 ? broadcast(1) : zero;
    } else {
      const Vector on = c[S + i] > x ? broadcast(1) : zero;
      sum[0] += g * at_least(zero, c[S + i] - x);
      sum[1] += g * on;
      return -c[i] * on;
    }
  }
  static void finish(const float* const* p, std::int64_t a, const double* sum, float* const* out) {
    for (int i = 0; i < S; ++i) {
      out[0][a * S + i] = float(sum[2 * i]);
      out[1][a * S + i] = float(double(p[0][a * S + i]) * sum[2 * i + 1]);
    }
  }
};
