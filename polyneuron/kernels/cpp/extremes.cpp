// The least and the largest x of each function, and the gradients that they pass on.
#include <limits>

#include "function.hpp"
#include "traversal.hpp"

namespace {

// The most extreme of some numbers, and how many of them are equal to it. `sign` -1: of the negated.
struct Extreme {
  Vector least;
  Integers count;
  void take(Vector x) {
    const Integers below = (Integers)(x < least), equal = (Integers)(x == least);
    count = ((count - equal) & ~below) - below;
    least = at_most(least, x);
  }
};

struct Seen {
  Extreme low, high;  // high of -x
  Integers nan;
  static Seen nothing() {
    const Vector most = broadcast(std::numeric_limits<float>::infinity());
    return {{most, Integers{}}, {most, Integers{}}, Integers{}};
  }
  void take(Vector x) {
    low.take(x);
    high.take(-x);
    nan |= (Integers)(x != x);
  }
};

// Takes in `count` numbers whose least is `least`.
void merge(float least, std::int64_t count, float& all, std::int64_t& of_all) {
  if (least < all || of_all == 0) {
    all = least;
    of_all = count;
  } else if (least == all) {
    of_all += count;
  }
}

}  // namespace

extern "C" {

// low, high (functions): NaN where an x is. counts (2, functions): x that are equal to them.
void extremes(const float* x, std::int64_t outer, std::int64_t functions, std::int64_t inner,
              int threads, float* low, float* high, std::int64_t* counts) {
  const Traversal walk({outer, functions, inner});
  Table<Vector> least(walk.chunks * walk.slots, 2);
  Table<Integers> others(walk.chunks * walk.slots, 3);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t chunk = 0; chunk < walk.chunks; ++chunk) {
    std::vector<Seen> seen(walk.slots, Seen::nothing());
    walk.chunk(chunk, [&](std::int64_t slot, Range range) {
      Seen own = seen[slot];
      for (std::int64_t n = 0; n < range.count; ++n)
        own.take(Float32::load(x + range.start + n * range.stride));
      if (range.rest > 0) {
        // What stands in the other lanes is not seen.
        const Seen before = own;
        own.take(load(x + range.start + range.count * range.stride, range.rest));
        for (int lane = range.rest; lane < LANES; ++lane) {
          own.low.least[lane] = before.low.least[lane], own.high.least[lane] = before.high.least[lane];
          own.low.count[lane] = before.low.count[lane], own.high.count[lane] = before.high.count[lane];
          own.nan[lane] = before.nan[lane];
        }
      }
      seen[slot] = own;
    });
    for (std::int64_t slot = 0; slot < walk.slots; ++slot) {
      Vector* ends = least.row(chunk * walk.slots + slot);
      Integers* rest = others.row(chunk * walk.slots + slot);
      ends[0] = seen[slot].low.least, ends[1] = seen[slot].high.least;
      rest[0] = seen[slot].low.count, rest[1] = seen[slot].high.count, rest[2] = seen[slot].nan;
    }
  }
  std::fill_n(counts, 2 * functions, 0);
  std::vector<bool> nan(functions);
  for (std::int64_t chunk = 0; chunk < walk.chunks; ++chunk)
    for (std::int64_t slot = 0; slot < walk.slots; ++slot)
      for (int lane = 0; lane < LANES; ++lane) {
        const std::int64_t a = walk.function(walk.block(chunk, slot), lane);
        const Vector* ends = least.row(chunk * walk.slots + slot);
        const Integers* rest = others.row(chunk * walk.slots + slot);
        if (rest[0][lane] > 0) merge(ends[0][lane], rest[0][lane], low[a], counts[a]);
        if (rest[1][lane] > 0) merge(ends[1][lane], rest[1][lane], high[a], counts[functions + a]);
        if (rest[2][lane]) nan[a] = true;
      }
  for (std::int64_t a = 0; a < functions; ++a) {
    high[a] = -high[a];
    if (nan[a]) low[a] = high[a] = std::numeric_limits<float>::quiet_NaN();
  }
}

// Adds each extreme's gradient to those of the x that are equal to it, in equal shares.
void extremes_backward(const float* x, std::int64_t outer, std::int64_t functions,
                       std::int64_t inner, int threads, const float* low, const float* high,
                       const std::int64_t* counts, const float* g_low, const float* g_high,
                       float* g_x) {
  enum { LOW, HIGH, G_LOW, G_HIGH, COEFFICIENTS };
  const Traversal walk({outer, functions, inner});
  Coefficients own =
      lane_coefficients<COEFFICIENTS>(walk, functions, [&](std::int64_t a, float* out) {
        out[LOW] = low[a], out[HIGH] = high[a];
        out[G_LOW] = counts[a] ? g_low[a] / float(counts[a]) : 0;
        out[G_HIGH] = counts[functions + a] ? g_high[a] / float(counts[functions + a]) : 0;
        return true;
      });
  walk_and_sum<COEFFICIENTS, 0>(
      walk, functions, own, threads,
      [=](Range range, const Vector* c, Vector*) INLINED {
        range.each([=](auto place) INLINED {
          for (int n = 0; n < place.VECTORS; ++n) {
            const Vector at = place.load(x, n);
            const Integers is_low = (Integers)(at == c[LOW]), is_high = (Integers)(at == c[HIGH]);
            if (!any(is_low | is_high)) continue;
            const Vector more = from_bits((Words)is_low & bits(c[G_LOW])) +
                                from_bits((Words)is_high & bits(c[G_HIGH]));
            place.store(g_x, n, place.load(g_x, n) + more);
          }
        });
      },
      [](std::int64_t, const double*) {});
}
}
