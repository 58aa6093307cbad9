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

// The same spline on an even grid, where x's interval is found by one product. Cubic j of S + 1 lies
// before knot j; the first and the last are the tails. With u, the distance from a cubic's first knot
// (a tail's only one) in gaps h, and v, which is u clamped to [0, 1]:
//
//   y = height + first u + v^2 (second + third v)
//
// and the sums of g, g u, g v^2 and g v^3 of each cubic give all gradients.
template <int S>
struct EvenHermite {
  static constexpr int CUBICS = S + 1, TERMS = 1;
  // A cubic's coefficients side by side, and, where two vectors hold them, each coefficient of all
  // cubics: one instruction looks that up for all lanes, if they have one function.
  static constexpr int BESIDE = 4 * CUBICS, COLUMN = CUBICS <= 2 * LANES ? 2 * LANES : 0;
  static constexpr int TABLE_COEFFICIENTS = BESIDE + 4 * COLUMN;
  static constexpr int COEFFICIENTS = TABLE_COEFFICIENTS + 3;
  static constexpr int SUMS_OF_A_TERM = 4 * CUBICS, SUMS = SUMS_OF_A_TERM, TABLE_SUMS = SUMS;
  enum { FIRST_KNOT = TABLE_COEFFICIENTS, INVERSE, INDEX };

  struct Cubic {
    double height, first, second, third;
  };
  static double gap(const float* c) { return (double(c[S - 1]) - c[0]) / (S - 1); }
  static Cubic cubic(const float* const* p, std::int64_t a, int j) {
    const float *y = p[1] + a * S, *m = p[2] + a * S;
    const double h = gap(p[0] + a * S);
    if (j == 0) return {y[0], h * m[0], 0, 0};
    if (j == S) return {y[S - 1], h * m[S - 1], 0, 0};
    const double rise = double(y[j]) - y[j - 1], left = h * m[j - 1], right = h * m[j];
    return {y[j - 1], left, 3 * rise - 2 * left - right, left + right - 2 * rise};
  }

  static bool prepare(const float* const* p, std::int64_t a, float* out) {
    for (int j = 0; j < CUBICS; ++j) {
      const Cubic f = cubic(p, a, j);
      const double row[] = {f.height, f.first, f.second, f.third};
      for (int i = 0; i < 4; ++i) {
        out[4 * j + i] = float(row[i]);
        if (COLUMN > 0) out[BESIDE + i * COLUMN + j] = float(row[i]);
      }
    }
    out[INDEX] = float(a);
    out[FIRST_KNOT] = p[0][a * S];
    out[INVERSE] = float(1 / gap(p[0] + a * S));
    return true;
  }

  struct Found {
    Integers cubic;
    Vector u, v;

    // Where each lane's cubic begins in tables of so many numbers a lane.
    INLINED void places(int table, std::int32_t (&at)[LANES]) const {
      Integers own;
      for (int lane = 0; lane < LANES; ++lane) own[lane] = lane * table;
      const Integers all = own + 4 * cubic;
      std::memcpy(at, &all, sizeof all);
    }
  };
  INLINED static Found find(Vector x, const Vector* c) {
    const Vector knots = (x - c[FIRST_KNOT]) * c[INVERSE];
    // The bounds take the place of NaN, in this order of arguments.
    const Vector inside = at_most(at_least(knots, broadcast(-1)), broadcast(S - 1));
    const Integers j = __builtin_convertvector(inside + 1, Integers);
    const Vector u = knots - at_least(broadcast(0), __builtin_convertvector(j, Vector) - 1);
    return {j, u, at_most(broadcast(1), at_least(broadcast(0), u))};
  }
  INLINED static void coefficients(const Found& found, const Vector* c, Vector (&row)[4]) {
    const float* table = (const float*)c;
    if constexpr (COLUMN > 0) {
      const float* function = (const float*)(c + INDEX);
      // Functions that differ do so from each lane to the next.
      if (function[0] == function[1]) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
          const float* column = table + BESIDE + i * COLUMN;
          row[i] = shuffled(Float32::load(column), Float32::load(column + LANES), found.cubic);
        }
        return;
      }
    }
    std::int32_t at[LANES];
    found.places(TABLE_COEFFICIENTS, at);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const float* from[LANES / 4];
#pragma GCC unroll 4
      for (int q = 0; q < LANES / 4; ++q) from[q] = table + at[4 * q + i];
      row[i] = join_quads(from);
    }
    turn(row);
  }

  template <int>
  INLINED static Vector value(Vector x, const Vector* c) {
    const Found found = find(x, c);
    const Vector u = found.u, v = found.v;
    Vector row[4];
    coefficients(found, c, row);
    return (row[0] + u * row[1]) + v * v * (row[2] + v * row[3]);
  }

  template <int>
  INLINED static Vector slope(Vector x, Vector g, const Vector* c, Vector* sum) {
    const Found found = find(x, c);
    const Vector u = found.u, v = found.v, gv = g * v * v;
    Vector row[4];
    coefficients(found, c, row);
    const Vector slope = (row[1] + v * (2 * row[2] + 3 * (v * row[3]))) * c[INVERSE];
    Vector powers[4] = {g, g * u, gv, gv * v};
    turn(powers);
    float quads[4][LANES];
    std::memcpy(quads, powers, sizeof quads);
    std::int32_t at[LANES];
    found.places(TABLE_SUMS, at);
#pragma GCC unroll 16
    for (int lane = 0; lane < LANES; ++lane) {
      float* to = (float*)sum + at[lane];
      const Quad next = load_quad(to) + load_quad(quads[lane % 4] + lane / 4 * 4);
      std::memcpy(to, &next, sizeof next);
    }
    return slope;
  }

  static void finish(const float* const* p, std::int64_t a, const double* sum, float* const* out) {
    const double h = gap(p[0] + a * S);
    double c[S] = {}, y[S] = {}, m[S] = {};
    const auto tail = [&](int knot, const double* g) {
      c[knot] -= p[2][a * S + knot] * g[0];
      y[knot] += g[0];
      m[knot] += h * g[1];
    };
    tail(0, sum);
    tail(S - 1, sum + 4 * S);
    for (int j = 1; j < S; ++j) {
      const Cubic f = cubic(p, a, j);
      const double *g = sum + 4 * j, left = p[2][a * S + j - 1], right = p[2][a * S + j];
      const double at_right = 3 * g[2] - 2 * g[3];
      y[j - 1] += g[0] - at_right;
      y[j] += at_right;
      m[j - 1] += h * (g[1] - 2 * g[2] + g[3]);
      m[j] += h * (g[3] - g[2]);
      const double by_gap = left * g[1] - (2 * left + right) * g[2] + (left + right) * g[3];
      const double moved = (f.first * g[1] + 2 * f.second * g[2] + 3 * f.third * g[3]) / h;
      const double by_u = (f.first * g[0] + 2 * f.second * g[1] + 3 * f.third * g[2]) / h;
      c[j - 1] += moved - by_u - by_gap;
      c[j] += by_gap - moved;
    }
    for (int i = 0; i < S; ++i) {
      out[0][a * S + i] = float(c[i]);
      out[1][a * S + i] = float(y[i]);
      out[2][a * S + i] = float(m[i]);
    }
  }
};
