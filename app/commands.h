#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/registry.h"

// What the subcommands do, once their arguments are read. Each returns the program's exit status.

namespace counterfoil::app {

/// Where and how to compute, of all but training, for which they are keys.
struct Where {
  std::string device = "auto", route = "auto";
  std::int64_t threads = 0;  ///< 0: as many as the machine has
};
Device& open_device(const Where& where);

struct TrainArguments {
  std::string kind;
  std::filesystem::path out;
  std::filesystem::path config;  ///< a TOML file with settings; may be empty
  bool resume = false;
  bool cuda_graph = false;                   ///< record the step once and replay it; the same bits
  std::map<std::string, std::string> flags;  ///< key -> text, of the flags that were given; they win over the file
};
/// 0 when training ended, 128 + signal when it was stopped and can be resumed.
int train_command(const TrainArguments& arguments);

struct ExplainArguments {
  std::filesystem::path run;
  std::vector<std::filesystem::path> input;
  std::filesystem::path output;
  std::string target;  ///< name of the class to explain towards; empty: the runner-up of each image
  Where where;
};
int explain_command(const ExplainArguments& arguments);

struct EvaluateArguments {
  std::vector<std::filesystem::path> runs;
  std::filesystem::path embedding, json, markdown;  ///< may be empty
  std::filesystem::path identity;                   ///< the embedding for lsc and fva; empty: the same
  std::int64_t images = 0;                          ///< how many test images, from the first; 0: all
  Where where;
};
int evaluate_command(const EvaluateArguments& arguments);

struct SubstitutabilityArguments {
  std::filesystem::path run, json;                       ///< json may be empty
  std::vector<std::string> images = {"counterfactual"};  ///< what takes the real images' place, by its names
  std::int64_t steps = 0;                                ///< of each retraining; 0: as many as the classifier had
  Where where;
};
/// 0, or throws Divergence when a retraining diverged.
int substitutability_command(const SubstitutabilityArguments& arguments);

struct ReportArguments {
  std::filesystem::path run, evaluation, output;  ///< evaluation may be empty
  std::int64_t images_per_class = 6;
  Where where;
};
int report_command(const ReportArguments& arguments);

struct AttributeArguments {
  std::string method;
  std::map<std::string, std::string> flags;  ///< key of the method -> text
  std::filesystem::path classifier, output;
  std::filesystem::path cascade;             ///< JSON of the cascading randomisation; may be empty
  std::vector<std::filesystem::path> input;  ///< empty: the test images of the classifier's data
  std::int64_t images = 0;                   ///< how many of them, from the first; 0: all
  std::string explained;                     ///< name of the class to explain; empty: the one that is decided
  std::string against;                       ///< name of the class it is held against, or runner-up; empty: none
  std::string scale = "logits";              ///< or probabilities
  std::string baseline;                      ///< as baseline_source() takes it; empty: the method's usual one
  std::optional<std::int64_t> baselines;     ///< how many for each image
  std::int64_t seed = 0;
  Where where;
};
int attribute_command(const AttributeArguments& arguments);

struct EvaluateAttributionsArguments {
  std::vector<std::filesystem::path> files;
  std::filesystem::path classifier, annotations, json, markdown;  ///< the last three may be empty
  std::string scale;                                              ///< logits or probabilities; empty: each file's own
  std::int64_t seed = 0;
  Where where;
};
int evaluate_attributions_command(const EvaluateAttributionsArguments& arguments);

struct AttributionPanelArguments {
  std::vector<std::filesystem::path> files;
  std::filesystem::path output;
  std::int64_t images = 8;
};
int attribution_panel_command(const AttributionPanelArguments& arguments);

struct PanelArguments {
  std::vector<std::filesystem::path> runs;
  std::filesystem::path output;
  std::int64_t images_per_class = 4;
  Where where;
};
int panel_command(const PanelArguments& arguments);

/// Of the commands that list what there is by name.
struct ListArguments {
  std::string name;   ///< print its keys with their defaults; empty: the names, one a line
  bool json = false;  ///< the same as JSON: name, paper and description; of a named one also "keys"
};
int methods_command(const ListArguments& arguments);
int attributions_command(const ListArguments& arguments);
int metrics_command();

struct SelftestArguments {
  Where where;
  std::string only;  ///< part of the names of the cases to run; empty: all
};
/// 0 when every case passed, 1 otherwise.
int selftest_command(const SelftestArguments& arguments);

}  // namespace counterfoil::app
