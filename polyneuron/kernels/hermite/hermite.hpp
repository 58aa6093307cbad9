#pragma once

#include "cpp/function.hpp"

// The cubic Hermite spline with straight tails. Parameters: c_x (A, S) ascending, c_y, m (A, S).
//
// Interval j adds its rise p(u), u = (x - c_j) / h clamped to [0, 1]. An interval left of x adds all
// of its rise and one right of x nothing, so that no search is needed:
//
//   y = y_0 + m_0 min(x - c_0, 0) + sum_j p_j(u_j) + m_n max(x - c_n, 0)
//   p(u) = u (rise + (u - 1) (bend + cube u)) = rise S + h m_j B - h m_{j+1} C
//
// with S = u^2 (3 - 2 u), B = u (1 - u)^2, C = u^2 (1 - u). Sums of g S, g B and g C give all
// gradients. Beyond the interval S is 1 and B and C are 0, so that the many elements there add no
// rounding to the interval's sums. To sums of g u, g u^2, g u^3 they would.
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

  // Term 0 is both tails and y_0; term i is interval i - 1.
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
