#pragma once

#include "cpp/function.hpp"
#include "hermite/hermite.hpp"
#include "natural/natural_spline.hpp"

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
