// Vectors as wide as the machine's registers: loads, stores, arithmetic, logarithm and exponential.
//
// Arithmetic is in float. STORAGE is the type of tensors in memory, Float32 or Bfloat16.
#pragma once

#if defined(__AVX__)
#include <immintrin.h>
#endif

#include <cstdint>
#include <cstring>
#include <type_traits>

// Inner loops are lambdas that call lambdas. A call that is not inlined spills all registers.
#define INLINED __attribute__((always_inline))

#if defined(__AVX512F__)
constexpr int REGISTER_BYTES = 64;
#elif defined(__AVX__)
constexpr int REGISTER_BYTES = 32;
#else
constexpr int REGISTER_BYTES = 16;
#endif

constexpr int LANES = REGISTER_BYTES / sizeof(float);
typedef float Vector __attribute__((vector_size(REGISTER_BYTES)));
typedef std::int32_t Integers __attribute__((vector_size(REGISTER_BYTES)));
typedef std::uint32_t Words __attribute__((vector_size(REGISTER_BYTES)));

typedef std::uint8_t Bytes __attribute__((vector_size(LANES)));

// Integers from 0 to 255 as bytes and back. `__builtin_convertvector` would take the lanes one by
// one, which costs more than all else that is done with them.
#if defined(__AVX512F__)
inline Bytes narrowed(Integers x) { return (Bytes)_mm512_cvtepi32_epi8((__m512i)x); }
inline Integers widened(Bytes x) { return (Integers)_mm512_cvtepu8_epi32((__m128i)x); }
#elif defined(__AVX2__)
inline Bytes narrowed(Integers x) {
  // The lowest byte of each number, in either half.
  const __m256i low = _mm256_shuffle_epi8((__m256i)x, _mm256_set1_epi32(0x0c080400));
  const int halves[2] = {_mm256_extract_epi32(low, 0), _mm256_extract_epi32(low, 4)};
  Bytes bytes;
  std::memcpy(&bytes, halves, LANES);
  return bytes;
}
inline Integers widened(Bytes x) {
  std::int64_t all;
  std::memcpy(&all, &x, LANES);
  return (Integers)_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(all));
}
#else
inline Bytes narrowed(Integers x) { return __builtin_convertvector(x, Bytes); }
inline Integers widened(Bytes x) { return __builtin_convertvector(x, Integers); }
#endif

inline Vector broadcast(float value) { return Vector{} + value; }
inline Words bits(Vector x) { return (Words)x; }
inline Vector from_bits(Words x) { return (Vector)x; }

// Both return x if x is NaN, because a comparison with NaN is false. The instructions do the same;
// a compiler uses them for the plain form only under laxer rules for floats.
#if defined(__AVX512F__)
inline Vector at_least(Vector bound, Vector x) { return _mm512_max_ps(bound, x); }
inline Vector at_most(Vector bound, Vector x) { return _mm512_min_ps(bound, x); }
#elif defined(__AVX__)
inline Vector at_least(Vector bound, Vector x) { return _mm256_max_ps(bound, x); }
inline Vector at_most(Vector bound, Vector x) { return _mm256_min_ps(bound, x); }
#else
inline Vector at_least(Vector bound, Vector x) { return bound > x ? bound : x; }
inline Vector at_most(Vector bound, Vector x) { return bound < x ? bound : x; }
#endif

// Lane i of the result is element from[i] of x, or of x and the vector behind it. Clang has no
// shuffle by numbers that it does not know.
#if defined(__clang__)
inline Vector shuffled(Vector x, Integers from) {
  Vector y;
  for (int lane = 0; lane < LANES; ++lane) y[lane] = x[from[lane]];
  return y;
}
inline Vector shuffled(Vector x, Vector behind, Integers from) {
  Vector y;
  for (int lane = 0; lane < LANES; ++lane)
    y[lane] = from[lane] < LANES ? x[from[lane]] : behind[from[lane] - LANES];
  return y;
}
#else
inline Vector shuffled(Vector x, Integers from) { return __builtin_shuffle(x, from); }
inline Vector shuffled(Vector x, Vector behind, Integers from) {
  return __builtin_shuffle(x, behind, from);
}
#endif

// True if a bit of some lane is set.
#if defined(__AVX512F__)
inline bool any(Integers x) { return _mm512_test_epi32_mask((__m512i)x, (__m512i)x); }
#elif defined(__AVX__)
inline bool any(Integers x) { return !_mm256_testz_si256((__m256i)x, (__m256i)x); }
#else
inline bool any(Integers x) {
  std::int32_t all = 0;
  for (int lane = 0; lane < LANES; ++lane) all |= x[lane];
  return all;
}
#endif

constexpr std::uint32_t SIGN = 0x80000000;
inline Vector absolute(Vector x) { return from_bits(bits(x) & ~SIGN); }

// Four numbers, as a lane finds them in a table.
typedef float Quad __attribute__((vector_size(4 * sizeof(float))));
inline Quad load_quad(const float* from) {
  Quad x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

// Between four vectors and the Quads of their lanes: Quad l has element l of each vector, and stands
// in row l % 4 at 4 (l / 4). The same exchange leads back.
inline void turn(Vector (&row)[4]) {
#if defined(__AVX512F__)
  const __m512 a = _mm512_unpacklo_ps(row[0], row[1]), b = _mm512_unpackhi_ps(row[0], row[1]);
  const __m512 c = _mm512_unpacklo_ps(row[2], row[3]), d = _mm512_unpackhi_ps(row[2], row[3]);
  const auto pairs = [](__m512 low, __m512 high, bool second) INLINED {
    const __m512d p = _mm512_castps_pd(low), q = _mm512_castps_pd(high);
    return (Vector)(second ? _mm512_unpackhi_pd(p, q) : _mm512_unpacklo_pd(p, q));
  };
  row[0] = pairs(a, c, false), row[1] = pairs(a, c, true);
  row[2] = pairs(b, d, false), row[3] = pairs(b, d, true);
#elif defined(__AVX__)
  const __m256 a = _mm256_unpacklo_ps(row[0], row[1]), b = _mm256_unpackhi_ps(row[0], row[1]);
  const __m256 c = _mm256_unpacklo_ps(row[2], row[3]), d = _mm256_unpackhi_ps(row[2], row[3]);
  const auto pairs = [](__m256 low, __m256 high, bool second) INLINED {
    const __m256d p = _mm256_castps_pd(low), q = _mm256_castps_pd(high);
    return (Vector)(second ? _mm256_unpackhi_pd(p, q) : _mm256_unpacklo_pd(p, q));
  };
  row[0] = pairs(a, c, false), row[1] = pairs(a, c, true);
  row[2] = pairs(b, d, false), row[3] = pairs(b, d, true);
#else
  const Vector before[4] = {row[0], row[1], row[2], row[3]};
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) row[i][j] = before[j][i];
#endif
}

// A vector of the Quads at LANES / 4 addresses.
inline Vector join_quads(const float* const (&from)[LANES / 4]) {
#if defined(__AVX512F__)
  __m512 all = _mm512_castps128_ps512(_mm_loadu_ps(from[0]));
  all = _mm512_insertf32x4(all, _mm_loadu_ps(from[1]), 1);
  all = _mm512_insertf32x4(all, _mm_loadu_ps(from[2]), 2);
  return (Vector)_mm512_insertf32x4(all, _mm_loadu_ps(from[3]), 3);
#elif defined(__AVX__)
  const __m256 low = _mm256_castps128_ps256(_mm_loadu_ps(from[0]));
  return (Vector)_mm256_insertf128_ps(low, _mm_loadu_ps(from[1]), 1);
#else
  return (Vector)load_quad(from[0]);
#endif
}

struct Float32 {
  using Stored = float;
  static Vector load(const Stored* from) {
    Vector x;
    std::memcpy(&x, from, sizeof x);
    return x;
  }
  static void store(Stored* to, Vector x) { std::memcpy(to, &x, sizeof x); }
};

struct Bfloat16 {
  using Stored = std::uint16_t;
  typedef Stored Halves __attribute__((vector_size(REGISTER_BYTES / 2)));
  static Vector load(const Stored* from) {
    Halves halves;
    std::memcpy(&halves, from, sizeof halves);
    return from_bits(__builtin_convertvector(halves, Words) << 16);
  }
  static void store(Stored* to, Vector x) {
    const Words words = bits(x);
    // To the nearest, ties to even. Rounding the bits of a NaN could give those of a number.
    const Words rounded = (words + 0x7fff + ((words >> 16) & 1)) >> 16;
    const Words nan = Words{} + 0x7fc0;
    const Halves halves = __builtin_convertvector(x == x ? rounded : nan, Halves);
    std::memcpy(to, &halves, sizeof halves);
  }
};

using Memory = STORAGE;
using Stored = Memory::Stored;

inline Vector load(const Stored* from) { return Memory::load(from); }
inline void store(Stored* to, Vector x) { Memory::store(to, x); }

// Loads and stores of the first n lanes alone; the others read as 0.
inline Vector load(const Stored* from, int n) {
  Stored padded[LANES] = {};
  std::memcpy(padded, from, n * sizeof(Stored));
  return load(padded);
}
inline void store(Stored* to, Vector x, int n) {
  Stored padded[LANES];
  store(padded, x);
  std::memcpy(to, padded, n * sizeof(Stored));
}

constexpr int MANTISSA_BITS = 23;
constexpr float SMALLEST_NORMAL = 0x1p-126f;

// log x for x >= SMALLEST_NORMAL: with x = 2^e m, m in [sqrt(1/2), sqrt(2)), and
// z = (m - 1) / (m + 1), log m is the series 2 z (1 + z^2 / 3 + z^4 / 5 + ...), |z| <= 0.172; the
// terms left out are below 2e-9 of it.
inline Vector logarithm(Vector x) {
  const Integers low = (Integers)bits(broadcast(0.70710678f));
  const Integers e = ((Integers)bits(x) - low) >> MANTISSA_BITS;
  const Vector m = from_bits(bits(x) - (Words)(e << MANTISSA_BITS));
  const Vector z = (m - 1) / (m + 1), square = z * z;
  Vector series = broadcast(1.0f / 9);
  for (int n = 7; n >= 1; n -= 2) series = series * square + 1.0f / n;
  return __builtin_convertvector(e, Vector) * 0.69314718f + 2 * z * series;
}

// e^x as 2^n (1 + rise), so that e^x - 1 keeps its digits near 0.
struct Exponential {
  Vector scale, rise;
  Vector value() const { return scale * (1 + rise); }
  Vector less_one() const { return scale * rise + (scale - 1); }
};

// e^x for any x, by a Taylor series on [-log(2) / 2, log(2) / 2], whose terms left out are below
// 6e-9; beyond the range of normal numbers it stops at the smallest and largest of them.
inline Exponential split_exponential(Vector x) {
  x = at_most(broadcast(87), at_least(broadcast(-87), x));
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  const Vector shift = broadcast(0x1.8p23f), shifted = x * 1.44269504f + shift, n = shifted - shift;
  // log(2) in two parts, the first with so few bits that its product with n is exact.
  const Vector f = x - n * 0.693145751953125f - n * 1.4286068203e-6f;
  constexpr float FACTORIALS[] = {1, 2, 6, 24, 120, 720, 5040};
  Vector series = broadcast(1 / FACTORIALS[6]);
  for (int i = 5; i >= 0; --i) series = series * f + 1 / FACTORIALS[i];
  const Words scale = bits(broadcast(1)) + ((bits(shifted) - bits(shift)) << MANTISSA_BITS);
  return {from_bits(scale), series * f};
}

inline Vector exponential(Vector x) { return split_exponential(x).value(); }
