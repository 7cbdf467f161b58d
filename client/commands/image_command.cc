#include <nlohmann/json.hpp>
#include <string>

#include "client/commands/commands.h"
#include "client/commands/json_text.h"
#include "client/exit_status.h"
#include "client/terminal_text.h"
#include "policy/image_reference.h"

namespace tidewaiter::cli {
namespace {

struct Options {
  bool json = false;
};

nlohmann::ordered_json ToJson(const std::string& input,
                              const Result<policy::ImageReference>& parsed) {
  nlohmann::ordered_json line{{"input", input}};
  if (!parsed) {
    line["error"] = parsed.error().message;
    return line;
  }
  line["registry"] = parsed->registry;
  line["repository"] = parsed->repository;
  line["tag"] = parsed->tag;
  line["digest"] = parsed->digest;
  line["canonical"] = parsed->Canonical();
  return line;
}

std::string ToText(const policy::ImageReference& image) {
  std::string out = image.Canonical() + "\n  registry    " + image.registry + "\n  repository  " +
                    image.repository + '\n';
  if (!image.tag.empty()) out += "  tag         " + image.tag + '\n';
  if (!image.digest.empty()) out += "  digest      " + image.digest + '\n';
  return out;
}

int Parse(const std::vector<std::string>& references, const Options& options) {
  int status = client::kExitYes;
  for (const std::string& reference : references) {
    const auto parsed = policy::ParseImageReference(reference);
    if (!parsed) status = client::kExitNo;
    int printed = status;
    if (options.json) {
      printed = PrintLine(JsonLine(ToJson(reference, parsed)), status);
    } else if (parsed) {
      printed = Print(ToText(*parsed), status);
    } else {
      Complain(parsed.error().message);
    }
    if (printed != status) return printed;
  }
  return status;
}

}  // namespace

void AddImageParse(CLI::App& app, Invocation& invocation) {
  CLI::App& image = AddCommand(app, {.name = "image",
                                     .summary = "Questions about image references",
                                     .arguments = "",
                                     .details = "Example: tidewaiter image parse busybox"});
  image.require_subcommand(1);
  CLI::App& command = AddCommand(
      image,
      {.name = "parse",
       .summary = "Take image references apart",
       .arguments = "REFERENCE...",
       .details = "Exit status: 0 all are references, 1 at least one is none, 2 usage.\n"
                  "JSON: input, registry, repository, tag, digest, canonical; or input, error.\n"
                  "Example: tidewaiter image parse --json busybox:1.36"});
  auto options = std::make_shared<Options>();
  AddJsonFlag(command, options->json);
  command.callback([&command, &invocation, options] {
    const std::vector<std::string> references = Positionals(command, invocation);
    if (references.empty()) ThrowUsage("image parse needs a REFERENCE");
    invocation.action = [references, options] { return Parse(references, *options); };
  });
}

}  // namespace tidewaiter::cli
