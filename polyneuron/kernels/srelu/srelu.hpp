#pragma once

#include <initializer_list>

#include "cpp/function.hpp"

// x + (a_l - 1) min(0, x - t_l) + (a_r - 1) max(0, x - t_r).
// Parameter: t_l, a_l, t_r, a_r as columns (A, 4).
struct Srelu {
  enum { T_LEFT, A_LEFT, T_RIGHT, A_RIGHT, COEFFICIENTS };
  enum { T, A, SUMS_OF_A_TERM };  // of a side: of g beyond the threshold, and times how far
  static constexpr int TERMS = 2, SUMS = COEFFICIENTS;
  static bool prepare(const float* const* p, std::int64_t a, float* out) {
    std::memcpy(out, p[0] + a * COEFFICIENTS, COEFFICIENTS * sizeof(float));
    out[A_LEFT] -= 1;
    out[A_RIGHT] -= 1;
    return true;
  }

  // Term 0 is x and the bend at t_l, term 1 the bend at t_r.
  template <int i>
  static Vector beyond(Vector x, const Vector* c) {
    const Vector zero = broadcast(0), d = x - c[2 * i + T];
    return i == 0 ? at_most(zero, d) : at_least(zero, d);
  }
  template <int i>
  static Vector value(Vector x, const Vector* c) {
    const Vector y = c[2 * i + A] * beyond<i>(x, c);
    return i == 0 ? x + y : y;
  }
  template <int i>
  static Vector slope(Vector x, Vector g, const Vector* c, Vector* sum) {
    const Vector zero = broadcast(0), d = beyond<i>(x, c);
    sum[T] += d != 0 ? g : zero;
    sum[A] += g * d;
    const Vector bend = d != 0 ? c[2 * i + A] : zero;
    return i == 0 ? 1 + bend : bend;
  }
  static void finish(const float* const* p, std::int64_t a, const double* sum, float* const* out) {
    const float* own = p[0] + a * COEFFICIENTS;
    float* to = out[0] + a * COEFFICIENTS;
    for (int side : {T_LEFT, T_RIGHT}) {
      to[side + T] = float((1 - double(own[side + A])) * sum[side + T]);
      to[side + A] = float(sum[side + A]);
    }
  }
};
