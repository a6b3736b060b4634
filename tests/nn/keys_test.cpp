#include "nn/keys.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/error.h"

namespace counterfoil::nn {
namespace {

using testing::HasSubstr;

struct Config {
  bool penalty = true;
  std::int64_t batch = 64;
  double learning_rate = 1e-4;
  std::string mode = "paper";
  std::string classifier;

  void declare(Keys& keys) {
    keys.add("penalty", penalty, "whether D pays for its gradient");
    keys.add("batch", batch, 1, 4096, "images per step");
    keys.add("learning_rate", learning_rate, 0, 1, "of Adam");
    keys.add("mode", mode, {"paper", "official"}, "which of the two");
    keys.add("classifier", classifier, "run directory");
  }
};

class KeysTest : public testing::Test {
 protected:
  KeysTest() { config_.declare(keys_); }

  std::string complaint(const std::string& name, const KeyValue& value) {
    try {
      keys_.set(name, value);
    } catch (const Error& error) {
      return error.what();
    }
    return "(no error)";
  }
  std::string text_complaint(const std::string& name, const std::string& text) {
    try {
      keys_.set_text(name, text);
    } catch (const Error& error) {
      return error.what();
    }
    return "(no error)";
  }

  Config config_;
  Keys keys_;
};

TEST_F(KeysTest, SetsTheFields) {
  keys_.set("penalty", false);
  keys_.set("batch", std::int64_t{8});
  keys_.set("learning_rate", 0.5);
  keys_.set_text("mode", "official");
  keys_.set_text("classifier", "12");
  EXPECT_FALSE(config_.penalty);
  EXPECT_EQ(config_.batch, 8);
  EXPECT_EQ(config_.learning_rate, 0.5);
  EXPECT_EQ(config_.mode, "official");
  EXPECT_EQ(config_.classifier, "12");
  EXPECT_EQ(to_text(keys_.at("learning_rate").default_value), "0.0001");
  keys_.set("learning_rate", std::int64_t{1});
  EXPECT_EQ(config_.learning_rate, 1);
}

TEST_F(KeysTest, TextRoundTrips) {
  for (const double value : {0.1, 1.0 / 3, 1e-300, 0.30000000000000004}) {
    keys_.set_text("learning_rate", to_text(value));
    EXPECT_EQ(config_.learning_rate, value);
  }
}

TEST_F(KeysTest, RefusesWithTheKeyTheExpectationAndTheFinding) {
  EXPECT_THAT(complaint("bacth", std::int64_t{1}), HasSubstr("unknown key 'bacth'; the nearest is 'batch'"));
  EXPECT_EQ(complaint("batch", std::int64_t{0}), "batch: expected a whole number from 1 to 4096, found 0");
  EXPECT_EQ(complaint("batch", 1.5), "batch: expected a whole number from 1 to 4096, found 1.5");
  EXPECT_EQ(complaint("batch", std::string("64")), "batch: expected a whole number from 1 to 4096, found '64'");
  EXPECT_EQ(complaint("penalty", std::int64_t{1}), "penalty: expected true or false, found 1");
  EXPECT_EQ(complaint("learning_rate", 2.0), "learning_rate: expected a number from 0 to 1, found 2");
  EXPECT_THAT(complaint("learning_rate", std::numeric_limits<double>::quiet_NaN()), HasSubstr("found nan"));
  EXPECT_THAT(complaint("mode", std::string("papr")), HasSubstr("one of paper, official, found 'papr'"));
  EXPECT_THAT(complaint("mode", std::string("papr")), HasSubstr("the nearest is 'paper'"));
  EXPECT_EQ(text_complaint("batch", "12x"), "batch: expected a whole number from 1 to 4096, found '12x'");
  EXPECT_EQ(text_complaint("batch", ""), "batch: expected a whole number from 1 to 4096, found ''");
  EXPECT_EQ(text_complaint("batch", "1e3"), "batch: expected a whole number from 1 to 4096, found '1e3'");
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  std::int64_t seed = 0;
  keys_.add("seed", seed, 0, kMost, "");
  EXPECT_EQ(text_complaint("seed", "18446744073709551615"),
            "seed: expected a whole number from 0 to 9223372036854775807, found '18446744073709551615'");
  keys_.set_text("seed", "9223372036854775807");
  EXPECT_EQ(seed, kMost);
  EXPECT_EQ(config_.batch, 64);
}

TEST_F(KeysTest, NamesAreUniqueSnakeCase) {
  EXPECT_THROW(keys_.add("batch", config_.batch, 0, 1, ""), Error);
  EXPECT_THROW(keys_.add("Batch", config_.batch, 0, 1, ""), Error);
}

}  // namespace
}  // namespace counterfoil::nn
