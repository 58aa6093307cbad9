// y = f(x) and its gradients.
#pragma once

#include "terms.hpp"

// Returns false if some function does not exist; its values are NaN.
template <class F>
bool forward(const Stored* x, Stored* y, const float* const* parameters, Shape shape, int threads) {
  const Traversal walk(shape);
  Coefficients coefficients = lane_coefficients<F::COEFFICIENTS>(
      walk, shape.functions,
      [&](std::int64_t a, float* out) { return F::prepare(parameters, a, out); },
      TablesOf<F>::COEFFICIENTS);
  walk_and_sum<F::COEFFICIENTS, 0>(
      walk, shape.functions, coefficients, threads,
      [=](Range range, const Vector* c, Vector*) INLINED {
        range.each([=](auto place) INLINED {
          put_values<F>(place, c, y, [=](int n) INLINED { return place.load(x, n); });
        });
      },
      [](std::int64_t, const double*) {});
  return coefficients.sound;
}

template <class F>
void backward(const Stored* g, const Stored* x, Stored* g_x, const float* const* parameters,
              float* const* gradients, Shape shape, int threads) {
  const Traversal walk(shape, TablesOf<F>::TILE);
  Coefficients coefficients = lane_coefficients<F::COEFFICIENTS>(
      walk, shape.functions,
      [&](std::int64_t a, float* out) { return F::prepare(parameters, a, out); },
      TablesOf<F>::COEFFICIENTS);
  walk_and_sum<F::COEFFICIENTS, F::SUMS>(
      walk, shape.functions, coefficients, threads,
      [=](Range range, const Vector* c, Vector* sums) INLINED {
        range.each([=](auto place) INLINED {
          pull<F>(
              place, c, sums, [=](int n) INLINED { return place.load(x, n); },
              [=](int n) INLINED { return place.load(g, n); },
              [=](int n, Vector down) INLINED { place.store(g_x, n, down); });
        });
      },
      [=](std::int64_t a, const double* sums) { F::finish(parameters, a, sums, gradients); },
      TablesOf<F>::SUMS);
}
