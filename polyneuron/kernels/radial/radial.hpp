#pragma once

#include "cpp/function.hpp"

template <int n>
constexpr Vector power(Vector d) {
  if constexpr (n == 0)
    return broadcast(1);
  else if constexpr (n % 2)
    return n == 1 ? d : power<n - 1>(d) * d;
  else
    return power<n / 2>(d * d);
}

// Eq. 1. Parameters: c_x (A, S), w (A, S), v (A, 2).
//
// With d = x - c_i, phi(d) = U_K(|d|) and phi' share a factor q(d):
//   odd K:   phi = q d,    phi' = K q,           q = d^(K-2) |d|  (sign d for K = 1)
//   even K:  phi = q d L,  phi' = q (K L + 1),   q = d^(K-1),     L = log |d|
template <int S, int K>
struct Radial {
  static constexpr int TERMS = S + 1, COEFFICIENTS = 3 * S + 2;
  static constexpr int SUMS_OF_A_TERM = 2, SUMS = TERMS * SUMS_OF_A_TERM;
  enum { W = S, V = 2 * S, KW = 2 * S + 2 };  // where w, v and K w begin
  static constexpr bool ODD = K % 2;

  static bool prepare(const float* const* p, std::int64_t a, float* out) {
    for (int i = 0; i < S; ++i) {
      out[i] = p[0][a * S + i];
      out[W + i] = p[1][a * S + i];
      out[KW + i] = K * p[1][a * S + i];
    }
    out[V] = p[2][2 * a];
    out[V + 1] = p[2][2 * a + 1];
    return true;
  }

  static Vector factor(Vector d) {
    if constexpr (K == 1) {
      const Vector sign = from_bits(bits(broadcast(1)) | (bits(d) & SIGN));
      return d == 0 ? broadcast(0) : sign;
    } else if constexpr (ODD) {
      return power<K - 2>(d) * absolute(d);
    } else {
      return power<K - 1>(d);
    }
  }

  // Finite at d = 0, where each use of it is multiplied by 0.
  static Vector log_distance(Vector d) {
    return logarithm(at_least(broadcast(SMALLEST_NORMAL), absolute(d)));
  }

  static Vector basis(Vector d) {
    if constexpr (K == 1)
      return absolute(d);
    else if constexpr (ODD)
      return power<K - 1>(d) * absolute(d);
    else
      return power<K>(d) * log_distance(d);
  }

  template <int i>
  static Vector value(Vector x, const Vector* c) {
    if constexpr (i == S)
      return x * c[V] + c[V + 1];
    else
      return c[W + i] * basis(x - c[i]);
  }

  template <int i>
  static Vector slope(Vector x, Vector g, const Vector* c, Vector* sum) {
    if constexpr (i == S) {
      sum[0] += g * x;
      sum[1] += g;
      return c[V];
    } else {
      const Vector d = x - c[i], q = factor(d), gq = g * q;
      if constexpr (ODD) {
        sum[0] += gq;
        sum[1] += gq * d;
        return c[KW + i] * q;
      } else {
        const Vector L = log_distance(d), rise = float(K) * L + 1;
        sum[0] += gq * rise;
        sum[1] += gq * d * L;
        return c[W + i] * q * rise;
      }
    }
  }

  static void finish(const float* const* p, std::int64_t a, const double* sum, float* const* out) {
    for (int i = 0; i < S; ++i) {
      out[0][a * S + i] = float(-double(p[1][a * S + i]) * (ODD ? K : 1) * sum[2 * i]);
      out[1][a * S + i] = float(sum[2 * i + 1]);
    }
    out[2][2 * a] = float(sum[2 * S]);
    out[2][2 * a + 1] = float(sum[2 * S + 1]);
  }
};
