#include <algorithm>

#include <fmt/format.h>

#include "app/commands.h"
#include "app/evaluation.h"
#include "app/outputs.h"
#include "kernels/error.h"
#include "metrics/embedding.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"

namespace counterfoil::app {

namespace {

void print(const Evaluation& evaluation) {
  fmt::print("{} ({}, {} test images)\n", evaluation.run, evaluation.method, evaluation.images);
  if (evaluation.acc_stable) fmt::print("  acc_stable       {:.4f}\n", *evaluation.acc_stable);
  fmt::print("  acc_adversarial  {:.4f}\n", evaluation.acc_adversarial);
  if (evaluation.acc_target) fmt::print("  acc_target       {:.4f}\n", *evaluation.acc_target);
  fmt::print("  distance_l1      {:.4f}\n  distance_l2      {:.4f}\n", evaluation.distance_l1, evaluation.distance_l2);
  if (evaluation.mask_size) fmt::print("  mask_size        {:.4f}\n", *evaluation.mask_size);
  if (evaluation.mask_nonzero) fmt::print("  mask_nonzero     {:.4f}\n", *evaluation.mask_nonzero);
  if (evaluation.lsc())
    fmt::print("  lsc              {:.4f}  (N = {})\n", *evaluation.lsc(), *evaluation.lsc_candidates());
  if (evaluation.fva)
    fmt::print("  fva              {:.4f}  (in the codes of {})\n", *evaluation.fva, evaluation.identity);
  fmt::print("  {:.2g} s an image, {:.1f} MiB at the most\n", evaluation.seconds_per_image,
             static_cast<double>(evaluation.peak_memory) / (1 << 20));
  for (const Evaluation::Direction& direction : evaluation.directions) {
    fmt::print("  {} -> {}           fd_mu {:.4g}  js {}  lsc {:.3f}  ({} images against {} real{})\n",
               direction.from ? std::to_string(*direction.from) : "*", direction.to, direction.fd_mu,
               direction.js ? fmt::format("{:.3f}", *direction.js) : "undefined", direction.lsc, direction.images,
               direction.real_images, direction.rank_deficient ? ", fewer than fd_mu's covariances need" : "");
  }
}

/// The network of an embedding's run, which `run` keeps.
nn::VaeEmbedding* open_embedding(const std::filesystem::path& folder, Device& device, Run& run) {
  run = load_run(folder, device);
  auto* training = dynamic_cast<metrics::EmbeddingTraining*>(run.trainable.get());
  if (training == nullptr) {
    fail("{}: expected an embedding's run, found one of {}", folder.string(), run.settings->kind().name);
  }
  return &training->network();
}

}  // namespace

int evaluate_command(const EvaluateArguments& arguments) {
  if (arguments.embedding.empty() && !arguments.identity.empty()) fail("--identity: expected --embedding, too");
  check_outputs({arguments.json, arguments.markdown});
  Device& device = open_device(arguments.where);
  std::vector<ExplainerRun> explainers;
  for (const std::filesystem::path& folder : arguments.runs) explainers.push_back(load_explainer(folder, device));
  const data::Dataset test = common_test_images(explainers, arguments.runs);

  const std::filesystem::path& identity = arguments.identity.empty() ? arguments.embedding : arguments.identity;
  Run embedding_run, identity_run;
  Embeddings embeddings;
  if (!arguments.embedding.empty()) {
    embeddings = {open_embedding(arguments.embedding, device, embedding_run),
                  open_embedding(identity, device, identity_run)};
  }

  Tensor images = test.all_images(device);  // [N,H,W,C]
  if (arguments.images > 0) images = slice(images, 0, 0, std::min(arguments.images, test.size()));
  std::vector<Evaluation> evaluations = evaluate(explainers, images, embeddings);
  for (std::size_t i = 0; i < evaluations.size(); ++i) {
    evaluations[i].run = arguments.runs[i].string();
    evaluations[i].embedding = arguments.embedding.string();
    evaluations[i].identity = identity.string();
    evaluations[i].training = read_cost(RunDirectory(arguments.runs[i]));
  }
  if (!arguments.json.empty()) write_text_atomically(arguments.json, to_json(evaluations));
  if (!arguments.markdown.empty()) write_text_atomically(arguments.markdown, to_markdown(evaluations));
  for (const Evaluation& evaluation : evaluations) print(evaluation);
  return 0;
}

}  // namespace counterfoil::app
