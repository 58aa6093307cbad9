// Natural cubic splines through control points: what polyneuron/natural_spline.py computes, in
// double. Their slopes m at the knots solve T m = r:
//
//   2 m_0 + m_1 = 3 d_0,   b_i m_{i-1} + 2 m_i + a_i m_{i+1} = 3 (b_i d_{i-1} + a_i d_i),
//   m_{n-1} + 2 m_n = 3 d_{n-1},   a_i = h_{i-1} / (h_{i-1} + h_i),   b_i = 1 - a_i
//
// with gaps h and secant slopes d.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

// As polyneuron.natural_spline.MIN_RELATIVE_GAP.
constexpr double MIN_RELATIVE_GAP = 1e-6;

template <int S>
struct NaturalSpline {
  using Row = std::array<double, S>;
  std::array<int, S> order;
  std::array<float, S> knots, heights, slopes;
  Row h, d, lower, upper, m;
  bool sound;

  // The points in ascending order of c_x, and the slopes. Unsound: a gap is not above
  // MIN_RELATIVE_GAP of the span, or a slope is not finite.
  NaturalSpline(const float* c_x, const float* c_y) {
    std::iota(order.begin(), order.end(), 0);
    // NaN comes last: no order of NaN and a number is consistent.
    std::stable_sort(order.begin(), order.end(), [&](int i, int j) {
      return c_x[i] < c_x[j] || (c_x[i] == c_x[i] && c_x[j] != c_x[j]);
    });
    for (int i = 0; i < S; ++i) {
      knots[i] = c_x[order[i]];
      heights[i] = c_y[order[i]];
    }
    const double span = double(knots[S - 1]) - knots[0];
    sound = true;
    for (int j = 0; j + 1 < S; ++j) {
      h[j] = double(knots[j + 1]) - knots[j];
      d[j] = (double(heights[j + 1]) - heights[j]) / h[j];
      sound = sound && h[j] > MIN_RELATIVE_GAP * span;  // false where a gap is not a number
    }
    upper[0] = lower[S - 1] = 1;
    m[0] = 3 * d[0];
    m[S - 1] = 3 * d[S - 2];
    for (int i = 1; i + 1 < S; ++i) {
      upper[i] = h[i - 1] / (h[i - 1] + h[i]);
      lower[i] = 1 - upper[i];
      m[i] = 3 * (lower[i] * d[i - 1] + upper[i] * d[i]);
    }
    solve(lower, upper, m);
    for (int i = 0; i < S; ++i) {
      slopes[i] = float(m[i]);
      sound = sound && std::isfinite(slopes[i]);
    }
  }

  // The diagonal, 2 throughout, dominates: no pivots are needed. Row i has below[i] before the
  // diagonal and above[i] after it.
  static void solve(const Row& below, const Row& above, Row& z) {
    Row pivot;
    pivot[0] = 2;
    for (int i = 1; i < S; ++i) {
      const double factor = below[i] / pivot[i - 1];
      pivot[i] = 2 - factor * above[i - 1];
      z[i] -= factor * z[i - 1];
    }
    z[S - 1] /= pivot[S - 1];
    for (int i = S - 2; i >= 0; --i) z[i] = (z[i] - above[i] * z[i + 1]) / pivot[i];
  }

  // dL/dc_x and dL/dc_y from the gradients of knots, heights and slopes: one more solve, of the
  // transposed system.
  void pull(Row g_knots, Row g_heights, Row q, float* g_x, float* g_y) const {
    Row below{}, above{}, g_h{}, g_d{};
    for (int i = 0; i + 1 < S; ++i) {
      below[i + 1] = upper[i];
      above[i] = lower[i + 1];
    }
    solve(below, above, q);
    g_d[0] += 3 * q[0];
    g_d[S - 2] += 3 * q[S - 1];
    for (int i = 1; i + 1 < S; ++i) {
      g_d[i - 1] += 3 * lower[i] * q[i];
      g_d[i] += 3 * upper[i] * q[i];
      const double g_upper = q[i] * (3 * (d[i] - d[i - 1]) - (m[i + 1] - m[i - 1]));
      const double sum = h[i - 1] + h[i];
      g_h[i - 1] += g_upper * h[i] / (sum * sum);
      g_h[i] -= g_upper * h[i - 1] / (sum * sum);
    }
    for (int j = 0; j + 1 < S; ++j) {
      g_heights[j] -= g_d[j] / h[j];
      g_heights[j + 1] += g_d[j] / h[j];
      const double g = g_h[j] - g_d[j] * d[j] / h[j];
      g_knots[j] -= g;
      g_knots[j + 1] += g;
    }
    for (int i = 0; i < S; ++i) {
      g_x[order[i]] = float(g_knots[i]);
      g_y[order[i]] = float(g_heights[i]);
    }
  }
};
