#include "app/config.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/error.h"

namespace counterfoil::app {
namespace {

using testing::HasSubstr;

std::string complaint(const std::string& toml) {
  Settings settings(kind_named("classifier"));
  try {
    settings.read_toml(toml, "c.toml");
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(Config, EveryKindRoundTripsExactly) {
  for (const Kind& kind : kinds()) {
    Settings settings(kind);
    settings.keys().set("seed", std::int64_t{12345});
    settings.keys().set("data", std::string("idx:/a \"b\"\\c\n:1,2"));
    const std::string text = settings.to_toml();
    Settings back(kind);
    back.read_toml(text, "text");
    EXPECT_EQ(back.to_toml(), text);
    EXPECT_EQ(back.run().data, settings.run().data);
    EXPECT_EQ(back.run().steps, kind.default_steps);
    EXPECT_THAT(text, HasSubstr("\nkind = \"" + kind.name + "\"\n"));
  }
}

TEST(Config, NumbersKeepEveryBit) {
  Settings settings(kind_named("classifier"));
  settings.keys().set("learning_rate", 0.1 + 0.2);
  Settings back(kind_named("classifier"));
  back.read_toml(settings.to_toml(), "text");
  EXPECT_EQ(back.keys().at("learning_rate").value(), nn::KeyValue(0.1 + 0.2));
}

TEST(Config, WhatHasTheSameBytesLeavesOutWhereItRan) {
  Settings one(kind_named("classifier")), two(kind_named("classifier"));
  two.keys().set("threads", std::int64_t{2});
  two.keys().set("checkpoint_every", std::int64_t{3});
  two.keys().set("route", std::string("own"));
  EXPECT_NE(one.to_toml(), two.to_toml());
  EXPECT_EQ(one.to_toml(true), two.to_toml(true));
  two.keys().set("steps", std::int64_t{3});
  EXPECT_NE(one.to_toml(true), two.to_toml(true));
}

// Thousands of mutations of a valid file: it reads, or throws Error, on one line; never anything else.
TEST(Config, MutatedFilesReadOrThrow) {
  const std::string valid = Settings(kind_named("classifier")).to_toml();
  std::mt19937_64 engine(1);
  const auto pick = [&](std::size_t bound) { return static_cast<std::size_t>(engine() % bound); };
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string mutated = valid;
    for (std::size_t changes = 1 + pick(3); changes > 0; --changes) {
      const std::size_t at = pick(mutated.size());
      switch (pick(4)) {
        case 0:
          mutated[at] = static_cast<char>(pick(256));
          break;
        case 1:
          mutated[at] = "0123456789.-+e[]{}\"'=\n#\\"[pick(23)];
          break;
        case 2:
          mutated.erase(at, 1 + pick(8));
          break;
        default:
          mutated.insert(at, mutated.substr(pick(mutated.size()), 1 + pick(16)));
      }
    }
    const std::string message = complaint(mutated);
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    refused += message != "(no error)" ? 1 : 0;
  }
  EXPECT_GT(refused, 1500);
}

TEST(Config, EachFaultHasItsLine) {
  EXPECT_EQ(complaint("\n\nbacth = 3"), "c.toml:3: unknown key 'bacth'; the nearest is 'batch'");
  EXPECT_EQ(complaint("batch = \"3\""), "c.toml:1: batch: expected a whole number from 1 to 65536, found '3'");
  EXPECT_EQ(complaint("batch = 0"), "c.toml:1: batch: expected a whole number from 1 to 65536, found 0");
  EXPECT_THAT(complaint("batch = [3]"), HasSubstr("found an array"));
  EXPECT_THAT(complaint("[batch]\nx = 1"), HasSubstr("found a table"));
  EXPECT_THAT(complaint("batch = 1979-05-27"), HasSubstr("found a date or time"));
  EXPECT_THAT(complaint("learning_rate = nan"), HasSubstr("found nan"));
  EXPECT_THAT(complaint("batch = 1\nbatch = 2"), HasSubstr("c.toml:2: not TOML"));
  EXPECT_THAT(complaint("batch ="), HasSubstr("c.toml:1: not TOML"));
  EXPECT_THAT(complaint("kind = \"embedding\""), HasSubstr("kind: expected 'classifier', found 'embedding'"));
  EXPECT_THAT(complaint("code = 3\nkind = \"embedding\""), HasSubstr("c.toml:2: kind: expected 'classifier'"));
  EXPECT_THAT(complaint("split = \"sice\""), HasSubstr("the nearest is 'syce'"));
  EXPECT_EQ(complaint("learning_rate = 1"), "(no error)");
}

TEST(Config, UnknownKindsNameTheNearest) {
  EXPECT_THROW((void)kind_named("clasifier"), Error);
}

}  // namespace
}  // namespace counterfoil::app
