// A function, term by term, over vectors that are visited together.
//
// The terms are the outer loop, so that a term's coefficients and sums are read once for all the
// vectors: no processor has registers for those of all terms.
#pragma once

#include "function.hpp"
#include "traversal.hpp"

template <class F, int i = 0, class Visit>
INLINED inline void each_term(Visit visit) {
  visit(std::integral_constant<int, i>{});
  if constexpr (i + 1 < F::TERMS) each_term<F, i + 1>(visit);
}

// y = f(x), x = input(i) of the place's i-th vector.
template <class F, class Place, class Input>
INLINED inline void put_values(Place place, const Vector* c, Stored* to, Input input) {
  constexpr int N = Place::VECTORS;
  Vector x[N], y[N];
#pragma GCC unroll 8
  for (int n = 0; n < N; ++n) x[n] = input(n);
  each_term<F>([&](auto i) INLINED {
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) {
      const Vector term = F::template value<i>(x[n], c);
      y[n] = i == 0 ? term : y[n] + term;
    }
  });
#pragma GCC unroll 8
  for (int n = 0; n < N; ++n) place.store(to, n, y[n]);
}

// take(i, dL/dx), x = input(i) and dL/dy = upstream(i) of the place's i-th vector.
template <class F, class Place, class Input, class Upstream, class Take>
INLINED inline void pull(Place, const Vector* c, Vector* sums, Input input, Upstream upstream,
                         Take take) {
  constexpr int N = Place::VECTORS, SUMS = F::SUMS_OF_A_TERM;
  // Keeps the sums in memory. A compiler that moves them to registers for a whole loop runs out of
  // registers, and each addition to a sum without one waits for the last one's store and load.
  asm volatile("" : "+r"(sums) : : "memory");
  Vector x[N], g[N], slope[N];
#pragma GCC unroll 8
  for (int n = 0; n < N; ++n) {
    x[n] = input(n);
    g[n] = upstream(n);
  }
  each_term<F>([&](auto i) INLINED {
    // Sums that are looked up stay where they are.
    constexpr bool IN_PLACE = TablesOf<F>::SUMS > 0;
    Vector copies[IN_PLACE ? 1 : at_least_one(SUMS)];
    Vector* sum = IN_PLACE ? sums + i * SUMS : copies;
    if constexpr (!IN_PLACE)
      for (int m = 0; m < SUMS; ++m) sum[m] = sums[i * SUMS + m];
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) {
      const Vector term = F::template slope<i>(x[n], g[n], c, sum);
      slope[n] = i == 0 ? term : slope[n] + term;
    }
    if constexpr (!IN_PLACE)
      for (int m = 0; m < SUMS; ++m) sums[i * SUMS + m] = sum[m];
  });
#pragma GCC unroll 8
  for (int n = 0; n < N; ++n) take(n, g[n] * slope[n]);
}
