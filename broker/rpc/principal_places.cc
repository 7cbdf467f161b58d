#include "broker/rpc/principal_places.h"

#include <utility>

namespace tidewaiter::rpc {

std::shared_ptr<void> PrincipalPlaces::Take(const std::string& principal) {
  {
    auto counts = counts_->Lock();
    std::size_t& count = (*counts)[principal];
    if (count >= max_per_principal_) return nullptr;
    ++count;
  }
  struct Place {
    std::shared_ptr<Counts> counts;
    std::string principal;

    Place(std::shared_ptr<Counts> its_counts, std::string its_principal)
        : counts(std::move(its_counts)), principal(std::move(its_principal)) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      auto locked = counts->Lock();
      const auto found = locked->find(principal);
      if (--found->second == 0) locked->erase(found);
    }
  };
  return std::make_shared<Place>(counts_, principal);
}

}  // namespace tidewaiter::rpc
