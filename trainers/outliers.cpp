// Numbers far from most others, in one pass over memory: the largest size, and those beyond bounds.

#include "cpp/lanes.hpp"

namespace {

constexpr int TOGETHER = 4;  // vectors: while one waits for memory the processor compares another

// A bit for each lane that is set.
inline unsigned set_lanes(Integers mask) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask);
#elif defined(__AVX__)
  return unsigned(_mm256_movemask_ps((__m256)mask));
#else
  unsigned bits = 0;
  for (int lane = 0; lane < LANES; ++lane) bits |= (mask[lane] & 1u) << lane;
  return bits;
#endif
}

// Copies the numbers of the lanes in `bits`, and returns where the next one goes.
inline float* keep(unsigned bits, const float* x, float* to) {
  for (; bits; bits &= bits - 1) *to++ = x[__builtin_ctz(bits)];
  return to;
}

}  // namespace

extern "C" {

// The largest |x|, 0 of none; NaN where an x is.
float largest_size(const float* x, std::int64_t n) {
  Vector largest[TOGETHER] = {};
  Integers nan{};
  std::int64_t i = 0;
  for (; i + TOGETHER * LANES <= n; i += TOGETHER * LANES)
    for (int t = 0; t < TOGETHER; ++t) {
      const Vector size = absolute(load(x + i + t * LANES));
      nan |= (Integers)(size != size);
      largest[t] = at_least(largest[t], size);
    }
  for (; i < n; i += LANES) {
    const Vector size = absolute(load(x + i, int(n - i < LANES ? n - i : LANES)));
    nan |= (Integers)(size != size);
    largest[0] = at_least(largest[0], size);
  }
  if (any(nan)) return __builtin_nanf("");
  float found = 0;
  for (const Vector& one : largest)
    for (int lane = 0; lane < LANES; ++lane) found = one[lane] > found ? one[lane] : found;
  return found;
}

// Copies the x that are at most `low`, and those that are not below `high`, as NaN is not, each kind
// to a place for n of them. counts: how many of either kind there are.
void beyond(const float* x, std::int64_t n, float low, float high, float* below, float* above,
            std::int64_t* counts) {
  float *next_below = below, *next_above = above;
  std::int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    const Vector at = load(x + i);
    const Integers is_below = (Integers)(at <= low), is_above = ~(Integers)(at < high);
    if (!any(is_below | is_above)) continue;
    next_below = keep(set_lanes(is_below), x + i, next_below);
    next_above = keep(set_lanes(is_above), x + i, next_above);
  }
  for (; i < n; ++i) {
    if (x[i] <= low) *next_below++ = x[i];
    if (!(x[i] < high)) *next_above++ = x[i];
  }
  counts[0] = next_below - below;
  counts[1] = next_above - above;
}
}
