// y = f(x) and its gradients.
#pragma once

#include "functions.hpp"
#include "traversal.hpp"

// Returns whether there is every function; those that are not give NaN.
template <class F>
bool forward(const Stored* x, Stored* y, const float* const* parameters, Shape shape, int threads) {
  const Traversal walk(shape);
  Coefficients coefficients = lane_coefficients<F::COEFFICIENTS>(
      walk, shape.functions,
      [&](std::int64_t a, float* out) { return F::prepare(parameters, a, out); });
  walk_and_sum<F::COEFFICIENTS, 0>(
      walk, shape.functions, coefficients, threads,
      [=](Range range, const Vector* c, Vector*) INLINED {
        range.each([&](std::int64_t at, auto partial) INLINED {
          if constexpr (partial)
            store(y + at, F::value(load(x + at, range.rest), c), range.rest);
          else
            store(y + at, F::value(load(x + at), c));
        });
      },
      [](std::int64_t, const double*) {});
  return coefficients.sound;
}

template <class F>
void backward(const Stored* g, const Stored* x, Stored* g_x, const float* const* parameters,
              float* const* gradients, Shape shape, int threads) {
  const Traversal walk(shape);
  Coefficients coefficients = lane_coefficients<F::COEFFICIENTS>(
      walk, shape.functions,
      [&](std::int64_t a, float* out) { return F::prepare(parameters, a, out); });
  walk_and_sum<F::COEFFICIENTS, F::SUMS>(
      walk, shape.functions, coefficients, threads,
      [=](Range range, const Vector* c, Vector* sums) INLINED {
        range.each([&](std::int64_t at, auto partial) INLINED {
          if constexpr (partial)
            store(g_x + at, F::pull(load(x + at, range.rest), load(g + at, range.rest), c, sums),
                  range.rest);
          else
            store(g_x + at, F::pull(load(x + at), load(g + at), c, sums));
        });
      },
      [=](std::int64_t a, const double* sums) { F::finish(parameters, a, sums, gradients); });
}
