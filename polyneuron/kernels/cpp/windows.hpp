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

  // Fills the planes of a band from one image. Floats up to `end` may be read.
  void gather(const float* x, const float* end, std::int64_t first, std::int64_t rows,
              float* planes) const {
    for (std::int64_t r = 0; r < 2 * rows; ++r) {
      const float* from = x + (2 * first + r) * width * channels;
      float* to = planes + r % 2 * 2 * plane() + r / 2 * row_windows();
      copy(from, end, to, to + plane());
    }
  }

 private:
  // Deals the pixels of one row to two planes. Whole vectors go out in ascending order, each over
  // what the last one wrote too far: masked stores are slow on some processors.
  void copy(const float* from, const float* end, float* even, float* odd) const {
    const std::int64_t pairs = width / 2;
    if (channels == 1) {
      for (std::int64_t i = 0; i < pairs; ++i) {
        even[i] = from[2 * i];
        odd[i] = from[2 * i + 1];
      }
      return;
    }
    for (std::int64_t i = 0; i < pairs; ++i) {
      pixel(from + 2 * i * channels, end, even + i * channels);
      pixel(from + (2 * i + 1) * channels, end, odd + i * channels);
    }
  }

  void pixel(const float* from, const float* end, float* to) const {
    if (end - from < whole_vectors(channels)) {
      std::memcpy(to, from, channels * sizeof(float));
      return;
    }
    for (std::int64_t c = 0; c < channels; c += LANES)
      Float32::store(to + c, Float32::load(from + c));
  }
};

// The gradients whose x was selected at a position, 0 in the other lanes.
inline Vector selected(const float* g, const std::uint8_t* which, int position) {
  Bytes narrow;
  std::memcpy(&narrow, which, LANES);
  return from_bits(bits(Float32::load(g)) & (Words)(widened(narrow) == position));
}

// dL/dx (images of a shape) from the gradients of the windows' selected x: 0 at all other places.
inline void spread(const float* g, const std::uint8_t* which, float* g_x, Image image,
                   std::int64_t images, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < images; ++i) {
    float* to = g_x + i * image.size();
    if (image.height % 2 || image.width % 2) std::memset(to, 0, image.size() * sizeof(float));
    const std::int64_t C = image.channels, room = whole_vectors(C);
    // Past a window's pixel whole vectors go over the next one, which is written later; at the
    // image's end, or before a column or row without windows, they may not.
    const bool even = image.height % 2 == 0 && image.width % 2 == 0;
    for (std::int64_t r = 0; r < image.height / 2; ++r)
      for (std::int64_t a = 0; a < 2; ++a) {
        const std::int64_t at = i * image.windows() + r * image.row_windows();
        float* row = to + (2 * r + a) * image.width * C;
        if (C == 1) {
          for (std::int64_t j = 0; j < image.width / 2; ++j) {
            row[2 * j] = which[at + j] == 2 * a ? g[at + j] : 0;
            row[2 * j + 1] = which[at + j] == 2 * a + 1 ? g[at + j] : 0;
          }
          continue;
        }
        for (std::int64_t j = 0; j < image.width / 2; ++j)
          for (std::int64_t b = 0; b < 2; ++b) {
            const std::int64_t w = at + j * C;
            float* pixel = row + (2 * j + b) * C;
            const float* last = even ? to + image.size() : row + image.width / 2 * 2 * C;
            if (last - pixel >= room && images * image.windows() - w >= room)
              for (std::int64_t c = 0; c < C; c += LANES)
                Float32::store(pixel + c, selected(g + w + c, which + w + c, int(2 * a + b)));
            else
              for (std::int64_t c = 0; c < C; ++c)
                pixel[c] = which[w + c] == 2 * a + b ? g[w + c] : 0;
          }
      }
  }
}
