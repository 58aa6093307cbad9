#pragma once

#include "cpp/function.hpp"

// (a_0 + ... + a_{S-1} x^{S-1}) / (1 + |b_1 x + ... + b_{S-2} x^{S-2}|).
// Parameters: a (A, S), b (A, S - 2).
//
// Powers are multiplied up after the division by the denominator, which bounds them: with S = 6 no
// term leaves the range of float32 before x^5 does, at |x| = 5e7.
template <int S>
struct Pade {
  static constexpr int BELOW = S - 2, COEFFICIENTS = S + BELOW;
  static constexpr int TERMS = 1, SUMS_OF_A_TERM = COEFFICIENTS, SUMS = COEFFICIENTS;
  static bool prepare(const float* const* p, std::int64_t a, float* out) {
    std::memcpy(out, p[0] + a * S, S * sizeof(float));
    std::memcpy(out + S, p[1] + a * BELOW, BELOW * sizeof(float));
    return true;
  }

  struct Polynomial {
    Vector value, slope;
  };
  template <int N>
  static Polynomial polynomial(Vector x, const Vector* c) {
    Polynomial p{c[N - 1], broadcast(0)};
#pragma GCC unroll 64
    for (int i = N - 2; i >= 0; --i) p = {p.value * x + c[i], p.slope * x + p.value};
    return p;
  }

  template <int>
  static Vector value(Vector x, const Vector* c) {
    const Vector below = x * polynomial<BELOW>(x, c + S).value;
    return polynomial<S>(x, c).value / (1 + absolute(below));
  }
  template <int>
  static Vector slope(Vector x, Vector g, const Vector* c, Vector* sum) {
    const Polynomial above = polynomial<S>(x, c), b = polynomial<BELOW>(x, c + S);
    const Vector below = x * b.value, inverse = 1 / (1 + absolute(below));
    // y with the sign of what stands between the bars.
    const Vector y = above.value * inverse;
    const Vector bent = below < 0 ? -y : below > 0 ? y : broadcast(0);
    Vector term = g * inverse, bent_term = term * bent;
    sum[0] += term;
#pragma GCC unroll 64
    for (int i = 1; i < S; ++i) sum[i] += term *= x;
#pragma GCC unroll 64
    for (int i = 0; i < BELOW; ++i) sum[S + i] -= bent_term *= x;
    return inverse * (above.slope - bent * (b.value + x * b.slope));
  }
  static void finish(const float* const*, std::int64_t a, const double* sum, float* const* out) {
    for (int i = 0; i < S; ++i) out[0][a * S + i] = float(sum[i]);
    for (int i = 0; i < BELOW; ++i) out[1][a * BELOW + i] = float(sum[S + i]);
  }
};
