#include "app/command_line.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <functional>
#include <new>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/config.h"
#include "app/flags.h"
#include "app/tracing.h"
#include "app/training_loop.h"
#include "kernels/device.h"
#include "kernels/error.h"
#include "tensor/nearest_name.h"

namespace counterfoil::app {

namespace {

using Action = std::function<int()>;

constexpr const char* kExamples = R"(
From data to pictures of foils:
  counterfoil train classifier --data mnist10k:3,8 --out runs/classifier
  counterfoil train syce       --data mnist10k:3,8 --classifier runs/classifier --out runs/syce
  counterfoil train embedding  --data mnist10k:3,8 --classifier runs/classifier --out runs/embedding
  counterfoil evaluate --run runs/syce --embedding runs/embedding --json runs/syce.json
  counterfoil report   --run runs/syce --evaluation runs/syce.json --output report.html
  counterfoil substitutability --run runs/syce   can a classifier learn from its foils?
  counterfoil explain  --run runs/syce --input digit.png --output foil.safetensors
  counterfoil attribute integrated-gradients --classifier runs/classifier --input digit.png --output why.safetensors
  counterfoil methods          what else can explain, a name per line
  counterfoil methods syce     every key of a method with its default and its range
  counterfoil attributions     what says how much each pixel adds to a score

Continue a run that was stopped, bit for bit:
  counterfoil train classifier --out runs/classifier --resume

The full MNIST, or any folder of IDX files, or of pictures in a folder per class:
  counterfoil train classifier --data idx:/data/mnist:3,8 --out runs/full
  counterfoil train classifier --data images:/data/pets:cat,dog --out runs/pets

Exit status: 0 done, 1 a self test failed, 2 wrong input (one line on stderr), 3 training diverged,
128 + signal: stopped, --resume goes on.)";

// --learning_rate is --learning-rate.
std::vector<std::string> with_dashes(int argc, const char* const* argv) {
  std::vector<std::string> arguments;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument.starts_with("--")) {
      std::replace(argument.begin(),
                   argument.begin() + static_cast<std::ptrdiff_t>(std::min(argument.find('='), argument.size())), '_',
                   '-');
    }
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

// Everything that CLI11 does not know, as an Error that names the nearest thing it does know.
void refuse_extras(const CLI::App& program) {
  const CLI::App* deepest = &program;
  while (!deepest->get_subcommands().empty()) deepest = deepest->get_subcommands().front();
  std::vector<std::string> commands, flags;
  for (const CLI::App* command : deepest->get_subcommands({})) commands.push_back(command->get_name());
  for (const CLI::Option* option : deepest->get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  const std::vector<std::string> extras = program.remaining(true);
  if (!extras.empty() && extras.front().starts_with("-")) {
    const std::string name = extras.front().substr(0, extras.front().find('='));
    fail("unknown flag {}; the nearest is {}", in_quotes(name), nearest_name(name, flags));
  }
  if (!extras.empty() && commands.empty()) fail("unexpected argument {}", in_quotes(extras.front()));
  if (!extras.empty()) {
    fail("unknown command {}; the nearest is '{}'", in_quotes(extras.front()), nearest_name(extras.front(), commands));
  }
  if (!commands.empty()) {
    fail("expected a command after '{}': one of {}; --help shows examples", deepest->get_name(),
         fmt::join(commands, ", "));
  }
}

std::string train_examples(const Kind& kind) {
  const std::string begin = "counterfoil train " + kind.name;
  const bool explains = !kind.paper.empty();
  const std::string classifier = kind.name == "classifier" ? "" : " --classifier runs/classifier";
  return fmt::format(
      "\n  {0} --data mnist10k:3,8{1} --out runs/{2}\n  {0} --out runs/{2} --resume   goes on where it was "
      "stopped\n{3}",
      begin, classifier, kind.name,
      explains ? fmt::format("  counterfoil explain --run runs/{0} --input digit.png --output foil.safetensors\n\n"
                             "docs/methods/{0}.md has the equations and where each default comes from.\n",
                             kind.name)
               : "");
}

void add_train(CLI::App& program, TrainArguments& arguments, Action& action) {
  CLI::App* train = program.add_subcommand("train", "train a classifier, an explainer or an embedding");
  for (const Kind& kind : kinds()) {
    CLI::App* command = train->add_subcommand(kind.name, kind.summary);
    command->add_option("--out", arguments.out, "folder of the run")->type_name("DIR");
    command->add_option("--config", arguments.config, "settings from a TOML file; flags win over it")
        ->type_name("FILE");
    command->add_flag("--resume", arguments.resume, "go on with the run in --out, or begin it when there is none");
    command->add_flag("--cuda-graph", arguments.cuda_graph,
                      "record the second step as a CUDA graph and replay it: the same bits, fewer launches");
    const Settings settings(kind);
    add_keys(*command, settings.keys(), arguments.flags);
    command->footer(train_examples(kind));
    command->callback([&arguments, &action, name = kind.name] {
      arguments.kind = name;
      action = [&arguments] { return train_command(arguments); };
    });
  }
}

void add_explain(CLI::App& program, ExplainArguments& arguments, Action& action) {
  CLI::App* command = program.add_subcommand("explain", "draw the foils of images with a trained explainer");
  command->add_option("--run", arguments.run, "run directory of the explainer")->required()->type_name("DIR");
  command
      ->add_option("--input", arguments.input,
                   "PNG or JPEG files, or safetensors of at most 1 GiB with a tensor 'images' [N,H,W,C]")
      ->required()
      ->type_name("FILE...");
  command
      ->add_option(
          "--output", arguments.output,
          "FILE.safetensors for everything, FILE.png for the counterfactual of one image, or a folder for a PNG "
          "of each image, map and mask")
      ->required()
      ->type_name("FILE|DIR");
  command
      ->add_option("--target", arguments.target,
                   "class to explain towards, of a method that can choose; default: of each image the class that the "
                   "classifier finds most likely after the one it decides")
      ->type_name("CLASS");
  add_where(*command, arguments.where);
  command->footer(R"(
  counterfoil explain --run runs/syce --input three.png --output foil.png
  counterfoil explain --run runs/syce --input three.png eight.png --output foils.safetensors
  counterfoil explain --run runs/syce --input queries.safetensors --output foils/

A folder gets three.counterfactual.png, three.map.png (white to red, the largest value darkest) and so on; the images of a
safetensors file are numbered. Written to a safetensors file, for N images: input, counterfactual and, where the method has
them, stable [N,H,W,C] in [0,1]; map [N,H,W,1] >= 0; others as docs/methods says; probabilities.<name> [N,classes] of f
for each of these images; all f32; and target [N] (i32), the class asked for.
The metadata hold the run's settings.)");
  command->callback([&] { action = [&] { return explain_command(arguments); }; });
}

void add_evaluate(CLI::App& program, EvaluateArguments& arguments, Action& action) {
  CLI::App* command = program.add_subcommand("evaluate", "measure explainers on the test images of their data");
  command->add_option("--run", arguments.runs, "run directories of explainers of one classifier")
      ->required()
      ->type_name("DIR...")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--embedding", arguments.embedding, "run directory of the embedding for fd_mu, js, lsc and fva")
      ->type_name("DIR");
  command->add_option("--identity", arguments.identity, "run directory of another embedding for lsc and fva")
      ->type_name("DIR");
  command->add_option("--json", arguments.json, "file to write the figures to")->type_name("FILE");
  command->add_option("--images", arguments.images, "measure on the first N test images (default: on all)")
      ->check(CLI::Range(1, 1 << 30))
      ->type_name("N");
  command->add_option("--markdown", arguments.markdown, "file to write a table of them to")->type_name("FILE");
  add_where(*command, arguments.where);
  command->footer(R"(
  counterfoil evaluate --run runs/syce --embedding runs/embedding --json syce.json
  counterfoil evaluate --run runs/syce runs/cyce --embedding runs/embedding --json both.json

Several runs share the plane that js is measured in. `counterfoil metrics` says what the figures mean. The codes that tell
decisions apart, for fd_mu and js, may tell little else: an embedding that keeps which image it was, for lsc and fva, comes of
  counterfoil train embedding --weight-divergence 0.001 --weight-decision 0 ...)");
  command->callback([&] { action = [&] { return evaluate_command(arguments); }; });
}

void add_substitutability(CLI::App& program, SubstitutabilityArguments& arguments, Action& action) {
  CLI::App* command = program.add_subcommand(
      "substitutability", "retrain the classifier on counterfactuals in place of real images, test it on real ones");
  command->add_option("--run", arguments.run, "run directory of the explainer")->required()->type_name("DIR");
  command
      ->add_option("--images", arguments.images,
                   "what takes their place: counterfactual (default); of explaingan also composite, which is the same, "
                   "and transformed")
      ->type_name("NAME...")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--steps", arguments.steps, "of each training (default: as many as the classifier had)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40))
      ->type_name("N");
  command->add_option("--json", arguments.json, "file to write the figures to")->type_name("FILE");
  add_where(*command, arguments.where);
  command->footer(R"(
  counterfoil substitutability --run runs/syce --json substitutability.json
  counterfoil substitutability --run runs/explaingan --images composite transformed --steps 300

Every training image is led across the boundary; those led to a class take the place of that class's real images: of each
class by itself, then of all. A classifier with the settings and the seed of the explained one is trained on each of these
sets and on the real images, the ceiling; all are tested on the real test images. The real validation images set the
learning rate. The JSON has run, method, classifier, steps, seed, train_images, test_images, ceiling (an accuracy) and
"substitutions": of each its images, replaced (class names), substitutes (how many), train_images, accuracy and
percent_of_ceiling (ExplainGAN's R).)");
  command->callback([&] { action = [&] { return substitutability_command(arguments); }; });
}

void add_report(CLI::App& program, ReportArguments& arguments, Action& action) {
  CLI::App* command = program.add_subcommand("report", "one self-contained page about an explainer");
  command->add_option("--run", arguments.run, "run directory of the explainer")->required()->type_name("DIR");
  command->add_option("--evaluation", arguments.evaluation, "what `evaluate --json` wrote")->type_name("FILE");
  command->add_option("--output", arguments.output, "HTML file to write")->required()->type_name("FILE");
  command->add_option("--images-per-class", arguments.images_per_class, "test images shown (default 6)")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  add_where(*command, arguments.where);
  command->footer("\n  counterfoil report --run runs/syce --evaluation syce.json --output report.html");
  command->callback([&] { action = [&] { return report_command(arguments); }; });
}

void add_panel(CLI::App& program, PanelArguments& arguments, Action& action) {
  CLI::App* command = program.add_subcommand("panel", "one picture of several explainers on the same test images");
  command->add_option("--run", arguments.runs, "run directories of explainers of one classifier")
      ->required()
      ->type_name("DIR...")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--output", arguments.output, "PNG file to write")->required()->type_name("FILE");
  command->add_option("--images-per-class", arguments.images_per_class, "test images shown (default 4)")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  add_where(*command, arguments.where);
  command->footer(R"(
  counterfoil panel --run runs/syce runs/cyce --output panel.png

The first row has the queries; below, for each explainer, every query's counterfactual beside its map.)");
  command->callback([&] { action = [&] { return panel_command(arguments); }; });
}

void add_methods(CLI::App& program, ListArguments& arguments, Action& action) {
  CLI::App* command = program.add_subcommand("methods", "list the methods, or the keys of one");
  command->add_option("name", arguments.name, "print the keys of this method, or of classifier or embedding")
      ->type_name("");
  command->add_flag("--json", arguments.json,
                    "name, paper and description of every method; of a named one its keys too");
  command->footer("\n  counterfoil methods\n  counterfoil methods syce\n  counterfoil methods syce --json");
  command->callback([&] { action = [&] { return methods_command(arguments); }; });
}

void add_selftest(CLI::App& program, SelftestArguments& arguments, Action& action) {
  CLI::App* command =
      program.add_subcommand("selftest", "run every primitive on a device and compare with the reference");
  add_where(*command, arguments.where);
  command->add_option("--only", arguments.only, "only cases with this in their name")->type_name("TEXT");
  command->footer("\n  counterfoil selftest --device cpu --only conv2d");
  command->callback([&] { action = [&] { return selftest_command(arguments); }; });
}

// Of every command that computes.
void add_trace(CLI::App& program, std::filesystem::path& trace) {
  for (CLI::App* command : program.get_subcommands({})) {
    std::vector<CLI::App*> leaves = command->get_subcommands({});
    if (leaves.empty()) leaves.push_back(command);
    for (CLI::App* leaf : leaves) {
      leaf->add_option("--trace", trace, "what ran when, for Perfetto and chrome://tracing")->type_name("FILE");
    }
  }
}

int parse_and_run(int argc, const char* const* argv) {
  CLI::App program(
      "Counterfoil draws, for an image and a classifier, the foil: a realistic image on the other side of the "
      "decision boundary.",
      "counterfoil");
  Action action;
  TrainArguments train;
  ExplainArguments explain;
  EvaluateArguments evaluate;
  SubstitutabilityArguments substitutability;
  ReportArguments report;
  PanelArguments panel;
  AttributionArguments attributions;
  ListArguments methods, attribution_names;
  SelftestArguments selftest;
  program.footer(kExamples);
  program.set_version_flag("--version", "counterfoil " + version());
  program.allow_extras();
  program.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  add_train(program, train, action);
  add_explain(program, explain, action);
  add_evaluate(program, evaluate, action);
  add_substitutability(program, substitutability, action);
  add_report(program, report, action);
  add_panel(program, panel, action);
  add_attributions(program, attributions, action);
  add_selftest(program, selftest, action);
  std::filesystem::path trace;
  add_trace(program, trace);
  add_methods(program, methods, action);
  add_attribution_list(program, attribution_names, action);
  program.add_subcommand("metrics", "list what is measured")->callback([&] { action = metrics_command; });
  for (CLI::App* command : program.get_subcommands({})) {
    command->allow_extras();
    for (CLI::App* kind : command->get_subcommands({})) kind->allow_extras();
  }
  std::vector<std::string> arguments = with_dashes(argc, argv);
  std::ranges::reverse(arguments);  // as CLI11 wants them
  try {
    program.parse(arguments);
  } catch (const CLI::Success& success) {
    return program.exit(success);
  } catch (const CLI::RequiredError& error) {
    refuse_extras(program);  // a mistyped flag explains a missing one
    fail("{}", error.what());
  } catch (const CLI::ParseError& error) {
    fail("{}", error.what());
  }
  refuse_extras(program);
  return run_traced(trace, action);
}

int complain(int status, const std::string& message) {
  std::fprintf(stderr, "counterfoil: %s\n", message.c_str());
  return status;
}

// Where standard input, output or errors are closed, the next file opened would take their number, and what is meant
// for the user would be written into it.
void fill_standard_descriptors() {
  int descriptor = 0;
  do {
    descriptor = ::open("/dev/null", O_RDWR);
  } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  if (descriptor >= 0) (void)::close(descriptor);
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  constexpr int kWrongInput = 2, kDiverged = 3;
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond the file size limit fails like one on a full disk
  fill_standard_descriptors();
  try {
    const int status = parse_and_run(argc, argv);
    errno = 0;
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      const int code = errno != 0 ? errno : EIO;
      return complain(kWrongInput, "cannot write to the standard output: " + std::generic_category().message(code));
    }
    return status;
  } catch (const Divergence&) {
    return kDiverged;  // train has said what happened
  } catch (const std::bad_alloc&) {
    return complain(kWrongInput, "out of memory");
  } catch (const std::exception& error) {
    return complain(kWrongInput, error.what());
  }
}

}  // namespace counterfoil::app
