// A batch of training images: windows of padded images, mirrored and normalised.
//
// value = (byte - mean) * scale, as torch rounds the two operations.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

// Of the padded images and of the windows that are cut from them.
struct Shape {
  std::int64_t channels, height, width, pad;
  std::int64_t line() const { return width + 2 * pad; }
  std::int64_t padded() const { return channels * (height + 2 * pad) * line(); }
};

// Chosen images lie anywhere in memory: asked for so many images before they are read, they are there.
constexpr std::int64_t AHEAD = 2, LINE_BYTES = 64;
void fetch(const std::uint8_t* image, std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i += LINE_BYTES) __builtin_prefetch(image + i);
}

enum Mirror { NONE, LEFT_RIGHT, UP_DOWN };

// Columns of a window on the border, at its left or its right end.
void clear_border(float* line, std::int64_t column, Shape s) {
  std::fill(line, line + std::clamp(s.pad - column, std::int64_t(0), s.width), 0.0f);
  std::fill(line + s.width - std::clamp(column - s.pad, std::int64_t(0), s.width), line + s.width,
            0.0f);
}

// Bytes as normalised floats. In groups of a fixed length, which a compiler makes vectors of; the
// last group goes over what the one before it wrote.
void normalise(const std::uint8_t* __restrict from, float* __restrict to, std::int64_t n,
               float mean, float scale) {
  constexpr std::int64_t GROUP = 16;
  const auto group = [=](std::int64_t at, std::int64_t length) {
    const std::uint8_t* __restrict bytes = from + at;
    float* __restrict values = to + at;
    for (std::int64_t x = 0; x < length; ++x) values[x] = (float(bytes[x]) - mean) * scale;
  };
  if (n < GROUP) return group(0, n);
  std::int64_t at = 0;
  for (; at + GROUP <= n; at += GROUP) group(at, GROUP);
  if (at < n) group(n - GROUP, GROUP);
}

// Writes one row, `apart` floats from one value to the next.
void put(const float* line, float* to, std::int64_t width, std::int64_t apart, bool mirrored) {
  if (apart == 1 && !mirrored)
    std::memcpy(to, line, width * sizeof(float));
  else if (apart == 1)
    for (std::int64_t x = 0; x < width; ++x) to[x] = line[width - 1 - x];
  else
    for (std::int64_t x = 0; x < width; ++x)
      to[x * apart] = line[mirrored ? width - 1 - x : x];
}

}  // namespace

extern "C" {

// Fills `to` (n, channels, height, width), channels-last or contiguous, with windows of images
// (N, channels, padded height, padded width). `offset` (N, 2) and `flip` (N,) have a row an image.
// With `mean_border` all that was padded becomes 0.
void cut_windows(const std::uint8_t* images, const std::int64_t* chosen, const std::int64_t* offset,
                 const bool* flip, const float* mean, const float* scale, float* to,
                 std::int64_t n, std::int64_t channels, std::int64_t height, std::int64_t width,
                 std::int64_t pad, int mirror, int mean_border, int channels_last, int threads) {
  const Shape s{channels, height, width, pad};
  const std::int64_t pixel = channels_last ? channels : 1;
  const std::int64_t plane = channels_last ? 1 : height * width;
#pragma omp parallel num_threads(threads)
  {
    std::vector<float> line(width);
#pragma omp for schedule(static)
    for (std::int64_t b = 0; b < n; ++b) {
      const std::int64_t image = chosen[b], row = offset[2 * image], column = offset[2 * image + 1];
      const bool flipped = flip[image];
      if (b + AHEAD < n) fetch(images + chosen[b + AHEAD] * s.padded(), s.padded());
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::uint8_t* from =
            images + image * s.padded() + (c * (height + 2 * pad) + row) * s.line() + column;
        float* image_to = to + b * channels * height * width + c * plane;
        for (std::int64_t y = 0; y < height; ++y, from += s.line()) {
          const std::int64_t y_to = flipped && mirror == UP_DOWN ? height - 1 - y : y;
          float* row_to = image_to + y_to * width * pixel;
          const bool turned = flipped && mirror == LEFT_RIGHT, direct = pixel == 1 && !turned;
          float* values = direct ? row_to : line.data();
          if (mean_border && (y + row < pad || y + row >= pad + height))
            std::fill(values, values + width, 0.0f);
          else
            normalise(from, values, width, mean[c], scale[c]);
          if (mean_border) clear_border(values, column, s);
          if (!direct) put(values, row_to, width, pixel, turned);
        }
      }
    }
  }
}
}
