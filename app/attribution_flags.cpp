#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/attribution_registry.h"
#include "app/baseline_source.h"
#include "app/flags.h"

namespace counterfoil::app {

namespace {

constexpr const char* kAttributeExamples = R"(
  counterfoil attribute {0} --classifier runs/classifier --input three.png --output three.safetensors
  counterfoil attribute {0} --classifier runs/classifier --images 20 --against runner-up{1} --output pictures/

A folder gets a picture for each image: blue adds to the score, red takes from it, the largest value darkest, channels
summed; and its baseline. What a safetensors file holds, and what it means: docs/attributions.md.)";

void add_attribute_flags(CLI::App& command, AttributeArguments& arguments) {
  command.add_option("--classifier", arguments.classifier, "run directory of the classifier")
      ->required()
      ->type_name("DIR");
  command
      .add_option("--input", arguments.input,
                  "PNG or JPEG files, or safetensors of at most 1 GiB with a tensor 'images' [N,H,W,C] (default: the "
                  "test images of the classifier's data)")
      ->type_name("FILE...")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--output", arguments.output, "FILE.safetensors for everything, or a folder for pictures")
      ->required()
      ->type_name("FILE|DIR");
  command.add_option("--images", arguments.images, "of the test images, the first N that can be asked (default: all)")
      ->excludes("--input")
      ->check(CLI::Range(1, 1 << 30))
      ->type_name("N");
  command.add_option("--class", arguments.explained, "class to explain (default: the one that is decided)")
      ->type_name("CLASS");
  command
      .add_option("--against", arguments.against,
                  "class to hold it against, one against one, or runner-up: of each image the likeliest other class")
      ->type_name("CLASS");
  command.add_option("--scale", arguments.scale, "logits or probabilities, what is explained (default logits)")
      ->check(CLI::IsMember({"logits", "probabilities"}))
      ->type_name("NAME");
  command
      .add_option("--baseline", arguments.baseline,
                  fmt::format("of a method that takes any: {}, or the run directory of an explainer, whose "
                              "counterfactuals are taken (default zero; where it takes several, samples)",
                              fmt::join(baseline_names(), ", ")))
      ->type_name("NAME|DIR");
  command
      .add_option("--baselines", arguments.baselines,
                  "samples for each image (default 32 where the method takes several, else 1)")
      ->check(CLI::Range(1, 4096))
      ->type_name("B");
  command
      .add_option(
          "--cascade", arguments.cascade,
          "the sanity check of cascading randomisation: attribute again while the classifier's layers forget, the "
          "last first, and write how alike the attributions stay")
      ->type_name("FILE.json");
  command.add_option("--seed", arguments.seed, "of what is drawn at random (default 0)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  add_where(command, arguments.where);
}

void add_attribute(CLI::App& program, AttributeArguments& arguments, std::function<int()>& action) {
  CLI::App* attribute = program.add_subcommand("attribute", "say how much each pixel adds to a classifier's score");
  attribute->footer(R"(
  counterfoil attribute integrated-gradients --classifier runs/classifier --input three.png --output why.safetensors
  counterfoil attribute lime --help          the flags of a method, with defaults and ranges

docs/attributions.md says what the methods are, and what can be a baseline.)");
  for (const AttributionKind& kind : attribution_kinds()) {
    CLI::App* command = attribute->add_subcommand(kind.name, kind.summary);
    const std::unique_ptr<methods::AttributionMethod> method = kind.make();
    const bool baseline = method->baseline_use() != methods::BaselineUse::none;
    add_attribute_flags(*command, arguments);
    nn::Keys keys;
    method->declare(keys);
    add_keys(*command, keys, arguments.flags);
    command->footer(fmt::format(kAttributeExamples, kind.name, baseline ? " --baseline runs/ganmex" : ""));
    command->callback([&arguments, &action, name = kind.name] {
      arguments.method = name;
      action = [&arguments] { return attribute_command(arguments); };
    });
  }
}

void add_evaluate(CLI::App& program, EvaluateAttributionsArguments& arguments, std::function<int()>& action) {
  CLI::App* command = program.add_subcommand("evaluate-attributions", "measure attributions, a row for each file");
  command->add_option("files", arguments.files, "safetensors files of attribute, or with 'input' and 'attribution'")
      ->required()
      ->type_name("FILE...");
  command->add_option("--classifier", arguments.classifier, "run directory of the classifier")
      ->required()
      ->type_name("DIR");
  command->add_option("--json", arguments.json, "file to write the figures to")->type_name("FILE");
  command->add_option("--markdown", arguments.markdown, "file to write a table of them to")->type_name("FILE");
  command
      ->add_option("--annotations", arguments.annotations,
                   "safetensors with a tensor 'annotations' [N,H,W,1], not 0 where it should be, for iou and ncc")
      ->type_name("FILE");
  command
      ->add_option("--scale", arguments.scale,
                   "logits or probabilities, the score that is watched (default: the one that was explained)")
      ->check(CLI::IsMember({"logits", "probabilities"}))
      ->type_name("NAME");
  command->add_option("--seed", arguments.seed, "of noise and of the images that monotonicity takes (default 0)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  add_where(*command, arguments.where);
  command->footer(R"(
  counterfoil evaluate-attributions ig.safetensors lime.safetensors --classifier runs/classifier --markdown table.md

`counterfoil metrics` says what the figures mean.)");
  command->callback([&] { action = [&] { return evaluate_attributions_command(arguments); }; });
}

void add_panel(CLI::App& program, AttributionPanelArguments& arguments, std::function<int()>& action) {
  CLI::App* command = program.add_subcommand("attribution-panel", "one picture of several attributions");
  command->add_option("files", arguments.files, "safetensors files of attribute, of the same images")
      ->required()
      ->type_name("FILE...");
  command->add_option("--output", arguments.output, "PNG file to write")->required()->type_name("FILE");
  command->add_option("--images", arguments.images, "how many, from the first (default 8)")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  command->footer(R"(
  counterfoil attribution-panel ig.safetensors lime.safetensors --output panel.png

The first row has the images; below, for each file, every image's baseline beside its attribution.)");
  command->callback([&] { action = [&] { return attribution_panel_command(arguments); }; });
}

}  // namespace

void add_attributions(CLI::App& program, AttributionArguments& arguments, std::function<int()>& action) {
  add_attribute(program, arguments.attribute, action);
  add_evaluate(program, arguments.evaluate, action);
  add_panel(program, arguments.panel, action);
}

void add_attribution_list(CLI::App& program, ListArguments& arguments, std::function<int()>& action) {
  CLI::App* command = program.add_subcommand("attributions", "list the attribution methods, or the keys of one");
  command->add_option("name", arguments.name, "print the keys of this method")->type_name("");
  command->add_flag("--json", arguments.json,
                    "name, paper and description of every method; of a named one its keys too");
  command->footer(
      "\n  counterfoil attributions\n  counterfoil attributions integrated-gradients\n  counterfoil attributions "
      "--json");
  command->callback([&] { action = [&] { return attributions_command(arguments); }; });
}

}  // namespace counterfoil::app
