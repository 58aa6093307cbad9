// Images and the planes of their 2x2 windows: gathering before pooling, spreading after it.
#pragma once

#include "pooling.hpp"

// Floats of the vectors that hold a pixel's channels.
inline std::int64_t whole_vectors(std::int64_t channels) {
  return (channels + LANES - 1) / LANES * LANES;
}

struct Image {
  std::int64_t channels, height, width;
  std::int64_t size() const { return channels * height * width; }
  // An odd last row or column has no window.
  std::int64_t row_windows() const { return width / 2 * channels; }
  std::int64_t windows() const { return height / 2 * row_windows(); }
  std::int64_t band() const {
    return std::max(std::int64_t(1), BAND_WINDOWS / std::max(std::int64_t(1), row_windows()));
  }
  // With room for whole vectors past the end.
  std::int64_t plane() const { return std::min(band(), height / 2) * row_windows() + 2 * LANES; }

  // Calls visit(first, rows) with a few rows of windows at a time.
  template <class Visit>
  void bands(Visit visit) const {
    for (std::int64_t row = 0; row < height / 2; row += band())
      visit(row, std::min(band(), height / 2 - row));
  }
};

// Fills the planes of a band from an image. Whole vectors go out in ascending order, each over what
// the last one wrote too far: masked stores are slow on some processors.
class Gather {
 public:
  explicit Gather(Image image) : image_(image), together_(LANES / image.channels) {
    for (int lane = 0; lane < LANES; ++lane) {
      const std::int64_t C = image.channels, at = lane / C * 2 * C + lane % C;
      // Past the last whole pair it does not matter.
      first_[lane] = std::int32_t(at % (2 * LANES));
      second_[lane] = std::int32_t((at + C) % (2 * LANES));
    }
  }

  // Floats up to `end` may be read.
  void band(const float* x, const float* end, std::int64_t first, std::int64_t rows,
            float* planes) const {
    for (std::int64_t r = 0; r < 2 * rows; ++r) {
      const float* from = x + (2 * first + r) * image_.width * image_.channels;
      float* to = planes + r % 2 * 2 * image_.plane() + r / 2 * image_.row_windows();
      row(from, end, to, to + image_.plane());
    }
  }

 private:
  // Deals the pixels of one row to two planes.
  void row(const float* from, const float* end, float* even, float* odd) const {
    const std::int64_t pairs = image_.width / 2, C = image_.channels;
    std::int64_t i = 0;
    if (together_ > 1)  // several pairs of pixels in two vectors
      for (; i < pairs && end - (from + 2 * i * C) >= 2 * LANES; i += together_) {
        const float* pair = from + 2 * i * C;
        const Vector x = Float32::load(pair), behind = Float32::load(pair + LANES);
        Float32::store(even + i * C, shuffled(x, behind, first_));
        Float32::store(odd + i * C, shuffled(x, behind, second_));
      }
    for (; i < pairs; ++i) {
      pixel(from + 2 * i * C, end, even + i * C);
      pixel(from + (2 * i + 1) * C, end, odd + i * C);
    }
  }

  void pixel(const float* from, const float* end, float* to) const {
    if (end - from < whole_vectors(image_.channels)) {
      std::memcpy(to, from, image_.channels * sizeof(float));
      return;
    }
    for (std::int64_t c = 0; c < image_.channels; c += LANES)
      Float32::store(to + c, Float32::load(from + c));
  }

  Image image_;
  std::int64_t together_;
  Integers first_, second_;
};

// Where the floats of a row of pixels come from: two pixels, side by side, from one of windows. A
// vector's pattern depends on its place among the first few, its period.
class Spread {
 public:
  explicit Spread(std::int64_t channels) {
    const std::int64_t C = channels, period = std::lcm(2 * C, std::int64_t(LANES)) / LANES;
    patterns_.resize(period);
    step_ = period * LANES / 2;
    for (std::int64_t v = 0; v < period; ++v) {
      const auto source = [=](int lane) {
        const std::int64_t n = v * LANES + lane;
        return n / (2 * C) * C + n % C;
      };
      Pattern& made = patterns_[v];
      made.at = source(0);
      for (int lane = 1; lane < LANES; ++lane) made.at = std::min(made.at, source(lane));
      for (int lane = 0; lane < LANES; ++lane) {
        made.from[lane] = std::int32_t(source(lane) - made.at);
        made.above[lane] = std::int32_t((v * LANES + lane) / C % 2);
        made.below[lane] = made.above[lane] + 2;
        made.fits &= made.from[lane] < LANES;
      }
    }
  }

  // Calls put(place, above, below), the vectors of both rows of the pixels of a row of windows,
  // `floats` long. The last place comes first: whole vectors may go over what follows them. g and
  // which, of these windows, may be read `room` far.
  template <class Put>
  INLINED void rows(const float* g, const std::uint8_t* which, std::int64_t room,
                    std::int64_t floats, Put put) const {
    const std::int64_t period = std::int64_t(patterns_.size()), last = (floats - 1) / LANES;
    std::int64_t v = last % period, from = last / period * step_;
    for (std::int64_t place = last * LANES; place >= 0; place -= LANES) {
      const Pattern& pattern = patterns_[v];
      const std::int64_t at = from + pattern.at;
      Vector values, places;
      if (pattern.fits && room - at >= LANES)
        whole(pattern, g + at, which + at, values, places);
      else
        by_lane(pattern, g + at, which + at, room - at, values, places);
      const auto of_row = [&](const Integers& position) INLINED {
        return from_bits(bits(values) & (Words)((Integers)bits(places) == position));
      };
      put(place, of_row(pattern.above), of_row(pattern.below));
      if (v-- == 0) v = period - 1, from -= step_;
    }
  }

 private:
  struct Pattern {
    Integers from, above, below;  // above and below: what `which` is where a window chose the pixel
    std::int64_t at;
    bool fits = true;  // all of a vector comes from one
  };

  static void whole(const Pattern& pattern, const float* g, const std::uint8_t* which,
                    Vector& values, Vector& places) {
    Bytes narrow;
    std::memcpy(&narrow, which, LANES);
    values = shuffled(Float32::load(g), pattern.from);
    places = shuffled(from_bits((Words)widened(narrow)), pattern.from);
  }
  static void by_lane(const Pattern& pattern, const float* g, const std::uint8_t* which,
                      std::int64_t room, Vector& values, Vector& places) {
    Integers chosen{};
    values = Vector{};
    for (int lane = 0; lane < LANES; ++lane) {
      const std::int64_t w = pattern.from[lane];
      if (w >= room) continue;  // past the last window
      values[lane] = g[w];
      chosen[lane] = which[w];
    }
    places = from_bits((Words)chosen);
  }

  std::vector<Pattern> patterns_;
  std::int64_t step_;  // windows of a period
};

// dL/dx (images of a shape) from the gradients of the windows' selected x: 0 at all other places.
inline void spread(const float* g, const std::uint8_t* which, float* g_x, Image image,
                   std::int64_t images, int threads) {
  const Spread pattern(image.channels);
  const std::int64_t line = image.width * image.channels, floats = 2 * image.row_windows();
  const std::int64_t rows = image.height / 2;
  // Whole vectors go over what is written later, but not over an odd column, nor past the last row.
  const bool even = floats == line;
  if (floats == 0) {
    std::memset(g_x, 0, images * image.size() * sizeof(float));
    return;
  }
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < images; ++i) {
    float* to = g_x + i * image.size();
    if (!even || image.height % 2) std::memset(to, 0, image.size() * sizeof(float));
    for (std::int64_t row = 0; row < rows; ++row, to += 2 * line) {
      const std::int64_t at = i * image.windows() + row * image.row_windows();
      // What may be written from the start of either row on.
      const std::int64_t end = even ? 2 * (rows - row) * line : floats;
      const auto put_row = [=](float* start, std::int64_t place, std::int64_t end, Vector x) INLINED {
        if (end - place >= LANES)
          Float32::store(start + place, x);
        else
          store(start + place, x, int(std::min(floats - place, std::int64_t(LANES))));
      };
      pattern.rows(g + at, which + at, images * image.windows() - at, floats,
                   [=](std::int64_t place, Vector above, Vector below) INLINED {
                     put_row(to, place, end, above);
                     put_row(to + line, place, even ? end - line : end, below);
                   });
    }
  }
}
