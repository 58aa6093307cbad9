// The activation functions that the traversals of pointwise.hpp and norm.hpp are built for.
//
// A function is a sum of TERMS terms. `prepare` makes one function's coefficients of its parameters,
// tensors (A, ...), and returns whether there is such a function; `value<i>` is term i of y;
// `slope<i>` is term i of dy/dx, and adds to SUMS sums over x from g = dL/dy; from these, `finish`
// makes the gradients of the parameters.
#pragma once

#include "lanes.hpp"
#include "natural_spline.hpp"

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

// The cubic Hermite spline with straight tails. Parameters: c_x (A, S) ascending, c_y, m (A, S).
//
// Interval j adds its rise p(u), u = (x - c_j) / h clamped to [0, 1], so that an interval left of x
// adds the whole of it, one right of x nothing, and no search is needed:
//
//   y = y_0 + m_0 min(x - c_0, 0) + sum_j p_j(u_j) + m_n max(x - c_n, 0)
//   p(u) = u (rise + (u - 1) (bend + cube u)) = rise S + h m_j B - h m_{j+1} C
//
// with S = u^2 (3 - 2 u), B = u (1 - u)^2, C = u^2 (1 - u). Sums of g S, g B and g C give all
// gradients. Beyond the interval S is 1 and B and C are 0, so that the many elements there add no
// rounding to what is not theirs, as they would to sums of g u, g u^2, g u^3.
template <int S>
struct Hermite {
  static constexpr int INTERVALS = S - 1, TERMS = INTERVALS + 1;
  static constexpr int COEFFICIENTS = 7 * INTERVALS + 4;
  static constexpr int SUMS_OF_A_TERM = 3, SUMS = TERMS * SUMS_OF_A_TERM;
  enum { START, INVERSE, RISE, BEND, CUBE, SLOPE_1, SLOPE_2 };  // of an interval
  enum { FIRST_HEIGHT = 7 * INTERVALS, FIRST_SLOPE, LAST_KNOT, LAST_SLOPE };
  enum { SQUARES, AT_LEFT, AT_RIGHT };  // sums of an interval: of g u^2, g B, g C
  enum { LEFT, RIGHT, TOTAL };  // sums of term 0: of g times x's distance outside, and of g

  struct Piece {
    double h, rise, bend, cube;
    double square() const { return bend - cube; }
  };
  static Piece piece(const float* const* p, std::int64_t a, int j) {
    const float *c = p[0] + a * S + j, *y = p[1] + a * S + j, *m = p[2] + a * S + j;
    const double h = double(c[1]) - c[0], rise = double(y[1]) - y[0];
    return {h, rise, rise - h * m[0], h * (double(m[0]) + m[1]) - 2 * rise};
  }

  static bool prepare(const float* const* p, std::int64_t a, float* out) {
    for (int j = 0; j < INTERVALS; ++j) {
      const Piece f = piece(p, a, j);
      float* at = out + 7 * j;
      at[START] = p[0][a * S + j];
      at[INVERSE] = float(1 / f.h);
      at[RISE] = float(f.rise);
      at[BEND] = float(f.bend);
      at[CUBE] = float(f.cube);
      at[SLOPE_1] = float(2 * f.square() / f.h);
      at[SLOPE_2] = float(3 * f.cube / f.h);
    }
    out[FIRST_HEIGHT] = p[1][a * S];
    out[FIRST_SLOPE] = p[2][a * S];
    out[LAST_KNOT] = p[0][a * S + S - 1];
    out[LAST_SLOPE] = p[2][a * S + S - 1];
    return true;
  }

  static Vector place(Vector x, const Vector* at) {
    return at_most(broadcast(1), at_least(broadcast(0), (x - at[START]) * at[INVERSE]));
  }

  // Term 0 is what is outside, and where y begins; term i is interval i - 1.
  template <int i>
  static Vector value(Vector x, const Vector* c) {
    if constexpr (i == 0) {
      const Vector zero = broadcast(0);
      return c[FIRST_SLOPE] * at_most(zero, x - c[START]) +
             (c[LAST_SLOPE] * at_least(zero, x - c[LAST_KNOT]) + c[FIRST_HEIGHT]);
    } else {
      const Vector *at = c + 7 * (i - 1), u = place(x, at);
      return u * (at[RISE] + (u - 1) * (at[BEND] + at[CUBE] * u));
    }
  }

  template <int i>
  static Vector slope(Vector x, Vector g, const Vector* c, Vector* sum) {
    if constexpr (i == 0) {
      const Vector zero = broadcast(0);
      sum[LEFT] += g * at_most(zero, x - c[START]);
      sum[RIGHT] += g * at_least(zero, x - c[LAST_KNOT]);
      sum[TOTAL] += g;
      return c[FIRST_SLOPE];
    } else {
      const Vector *at = c + 7 * (i - 1), u = place(x, at), v = 1 - u;
      const Vector gu = g * u, guv = gu * v;
      sum[SQUARES] += gu * u;
      sum[AT_LEFT] += guv * v;
      sum[AT_RIGHT] += guv * u;
      return u * (at[SLOPE_1] + at[SLOPE_2] * u);
    }
  }

  // The gradients of knots, heights and slopes (S).
  static void pull_row(const float* const* p, std::int64_t a, const double* sum, double* c,
                       double* y, double* m) {
    for (int i = 0; i < S; ++i) c[i] = y[i] = m[i] = 0;
    for (int j = 0; j < INTERVALS; ++j) {
      const Piece f = piece(p, a, j);
      const double* own = sum + 3 * (j + 1);
      const double B = own[AT_LEFT], C = own[AT_RIGHT], rise = own[SQUARES] + 2 * C;  // of g S
      y[j] -= rise;
      y[j + 1] += rise;
      m[j] += f.h * B;
      m[j + 1] -= f.h * C;
      c[j] += p[2][a * S + j] * rise - 2 * f.square() / f.h * B;
      c[j + 1] += (2 * f.square() + 6 * f.cube) / f.h * C - p[2][a * S + j + 1] * rise;
    }
    c[0] -= p[2][a * S] * sum[TOTAL];
    y[0] += sum[TOTAL];
    m[0] += sum[LEFT];
    m[S - 1] += sum[RIGHT];
  }

  static void finish(const float* const* p, std::int64_t a, const double* sum, float* const* out) {
    double rows[3][S];
    pull_row(p, a, sum, rows[0], rows[1], rows[2]);
    for (int n = 0; n < 3; ++n)
      for (int i = 0; i < S; ++i) out[n][a * S + i] = float(rows[n][i]);
  }
};

// The natural cubic spline through control points: eq. 2 solved for k = 3, then a Hermite spline.
// Parameters: c_x (A, S) in any order, c_y (A, S).
template <int S>
struct Natural : Hermite<S> {
  static bool prepare(const float* const* p, std::int64_t a, float* out) {
    const NaturalSpline<S> spline(p[0] + a * S, p[1] + a * S);
    const float* rows[] = {spline.knots.data(), spline.heights.data(), spline.slopes.data()};
    Hermite<S>::prepare(rows, 0, out);
    if (!spline.sound) out[Hermite<S>::FIRST_HEIGHT] = NAN;
    return spline.sound;
  }
  static void finish(const float* const* p, std::int64_t a, const double* sum, float* const* out) {
    const NaturalSpline<S> spline(p[0] + a * S, p[1] + a * S);
    const float* rows[] = {spline.knots.data(), spline.heights.data(), spline.slopes.data()};
    std::array<double, S> c, y, m;
    Hermite<S>::pull_row(rows, 0, sum, c.data(), y.data(), m.data());
    spline.pull(c, y, m, out[0] + a * S, out[1] + a * S);
  }
};

// A function of one term whose coefficients are the N columns of its one parameter, (A, N) or (A),
// and whose sums are their gradients.
template <int N>
struct OneParameter {
  static constexpr int TERMS = 1, COEFFICIENTS = N, SUMS_OF_A_TERM = N, SUMS = N;
  static bool prepare(const float* const* p, std::int64_t a, float* out) {
    std::memcpy(out, p[0] + a * N, N * sizeof(float));
    return true;
  }
  static void finish(const float* const*, std::int64_t a, const double* sum, float* const* out) {
    for (int i = 0; i < N; ++i) out[0][a * N + i] = float(sum[i]);
  }
};

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

// max(0, x), for the fused batch norm; alone, torch's is as good.
struct Relu {
  static constexpr int TERMS = 1, COEFFICIENTS = 0, SUMS_OF_A_TERM = 0, SUMS = 0;
  static bool prepare(const float* const*, std::int64_t, float*) { return true; }
  template <int>
  static Vector value(Vector x, const Vector*) {
    return at_least(broadcast(0), x);
  }
  template <int>
  static Vector slope(Vector x, Vector, const Vector*, Vector*) {
    return x > 0 ? broadcast(1) : broadcast(0);
  }
  static void finish(const float* const*, std::int64_t, const double*, float* const*) {}
};
