// A function and the 2x2 max pooling of its values in one.
//
// Four planes hold what the windows hold: plane 2 a + b has row a and column b of each window, in
// the order of the results. So all four positions of a window lie at one index, whatever the memory
// format of the image was, and results are written vector by vector.
//
// Kept for the backward pass are each window's selected x and one byte that says which it was.
#pragma once

#include "terms.hpp"

constexpr int POSITIONS = 4;
// Windows that are gathered before they are pooled: planes and results stay in the first cache.
constexpr std::int64_t BAND_WINDOWS = 1280;

struct Planes {
  const float* first;
  std::int64_t apart;  // from one plane to the next
  const float* plane(int position) const { return first + position * apart; }
};

struct Pooled {
  float *y, *kept;
  std::uint8_t* which;
  Pooled from(std::int64_t at) const { return {y + at, kept + at, which + at}; }
};

// Torch's rules: of equal values the first position wins, of NaNs the last.
#if defined(__AVX512F__)
typedef __mmask16 Mask;
inline Mask replaces(Vector value, Vector best) {
  return _mm512_cmp_ps_mask(value, best, _CMP_GT_OQ) |
         _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
}
inline Vector chosen(Mask mask, Vector a, Vector b) { return _mm512_mask_mov_ps(b, mask, a); }
inline Integers chosen(Mask mask, Integers a, Integers b) {
  return (Integers)_mm512_mask_mov_epi32((__m512i)b, mask, (__m512i)a);
}
#else
typedef Integers Mask;
inline Mask replaces(Vector value, Vector best) {
  return (Integers)((value > best) | (value != value));
}
inline Integers chosen(Mask mask, Integers a, Integers b) { return (a & mask) | (b & ~mask); }
inline Vector chosen(Mask mask, Vector a, Vector b) {
  return from_bits((Words)chosen(mask, (Integers)bits(a), (Integers)bits(b)));
}
#endif

// The windows of one vector; c are the coefficients of its lanes' functions.
template <class F, class Load>
INLINED inline void pool_vector(const Vector* c, Load x_at, Vector& y, Vector& kept,
                                Integers& which) {
  Vector x[POSITIONS], value[POSITIONS];
#pragma GCC unroll 4
  for (int p = 0; p < POSITIONS; ++p) x[p] = x_at(p);
  each_term<F>([&](auto i) INLINED {
#pragma GCC unroll 4
    for (int p = 0; p < POSITIONS; ++p) {
      const Vector term = F::template value<i>(x[p], c);
      value[p] = i == 0 ? term : value[p] + term;
    }
  });
  y = value[0], kept = x[0], which = Integers{};
#pragma GCC unroll 4
  for (int p = 1; p < POSITIONS; ++p) {
    const Mask mask = replaces(value[p], y);
    y = chosen(mask, value[p], y);
    kept = chosen(mask, x[p], kept);
    which = chosen(mask, Integers{} + p, which);
  }
}

// Pools n windows. Vector v has the coefficients of row v % blocks of a table.
template <class F>
void pool(const Vector* coefficients, std::int64_t blocks, Planes planes, std::int64_t n,
          Pooled to) {
  Vector y, kept;
  Integers which;
  std::int64_t at = 0, block = 0;
  const auto one = [&]() INLINED {
    pool_vector<F>(
        coefficients + block * at_least_one(F::COEFFICIENTS),
        [&](int p) INLINED { return Float32::load(planes.plane(p) + at); }, y, kept, which);
    block = block + 1 == blocks ? 0 : block + 1;
  };
  for (; at + LANES <= n; at += LANES) {
    one();
    Float32::store(to.y + at, y);
    Float32::store(to.kept + at, kept);
    const Bytes narrow = narrowed(which);
    std::memcpy(to.which + at, &narrow, LANES);
  }
  if (at == n) return;
  one();  // planes may be read past their end, results may not be written past theirs
  const Bytes narrow = narrowed(which);
  std::memcpy(to.y + at, &y, (n - at) * sizeof(float));
  std::memcpy(to.kept + at, &kept, (n - at) * sizeof(float));
  std::memcpy(to.which + at, &narrow, n - at);
}
