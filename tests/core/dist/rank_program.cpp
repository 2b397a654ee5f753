// dist_rank MODE: one rank of a job over Comm, for tests. Prints "ok" lines to stdout when what it
// checked held; a check that fails is an Error, exit code 1.
#include <ATen/ATen.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "core/dist/comm.h"
#include "core/error.h"

namespace {

using plumb::Comm;

void check(bool holds, const std::string& what) {
  if (!holds) throw plumb::Error("wrong: " + what, plumb::Exit::failed);
}

// Small whole numbers: their sums are exact in any order.
at::Tensor sample(int rank, at::ScalarType dtype) {
  return (at::arange(12, at::kLong) * (rank + 1) - rank).reshape({3, 4}).to(dtype);
}

at::Tensor sum_of_samples(int ranks, at::ScalarType dtype) {
  at::Tensor sum = at::zeros({3, 4}, dtype);
  for (int rank = 0; rank < ranks; ++rank) sum += sample(rank, dtype);
  return sum;
}

void check_reductions(Comm& comm) {
  const int ranks = comm.world_size();
  for (const auto dtype : {at::kFloat, at::kDouble, at::kLong}) {
    at::Tensor tensor = sample(comm.rank(), dtype);
    comm.all_reduce_sum(tensor);
    check(tensor.equal(sum_of_samples(ranks, dtype)), "all_reduce_sum");
    at::Tensor strided = sample(comm.rank(), dtype).t();
    comm.all_reduce_sum(strided);
    check(strided.equal(sum_of_samples(ranks, dtype).t()), "all_reduce_sum of a strided tensor");
    tensor = at::full({2}, comm.rank(), dtype);
    comm.all_reduce_max(tensor);
    check(tensor.equal(at::full({2}, ranks - 1, dtype)), "all_reduce_max");
  }
  std::vector<at::Tensor> list = {sample(comm.rank(), at::kFloat), at::zeros({0}, at::kFloat),
                                  sample(comm.rank(), at::kFloat).t(), at::ones({}, at::kFloat)};
  comm.all_reduce_sum(list);
  check(list[0].equal(sum_of_samples(ranks, at::kFloat)), "list, first");
  check(list[2].equal(sum_of_samples(ranks, at::kFloat).t()), "list, strided");
  check(list[3].item<float>() == static_cast<float>(ranks), "list, scalar");
  check(comm.sum(comm.rank() + 0.5) == ranks * (ranks - 1) / 2.0 + 0.5 * ranks, "sum");
  check(comm.any(comm.rank() == ranks - 1) && !comm.any(false), "any");
}

void check_exchange(Comm& comm) {
  const int ranks = comm.world_size();
  for (int root = 0; root < ranks; ++root) {
    at::Tensor tensor = sample(comm.rank(), at::kHalf).t();
    comm.broadcast(tensor, root);
    check(tensor.equal(sample(root, at::kHalf).t()), "broadcast");
    std::string bytes(static_cast<std::size_t>(comm.rank()), 'x');
    comm.broadcast_bytes(bytes, root);
    check(bytes == std::string(static_cast<std::size_t>(root), 'x'), "broadcast_bytes");
  }
  const auto rows = [](int rank) { return at::full({rank, 2}, rank, at::kInt); };
  const std::vector<at::Tensor> tensors = comm.all_gather(rows(comm.rank()));
  const std::vector<at::Tensor> scalars = comm.all_gather(at::scalar_tensor(comm.rank()));
  const auto text = [](int rank) { return std::string(static_cast<std::size_t>(rank * 3), '\0'); };
  const std::vector<std::string> texts = comm.all_gather_bytes(text(comm.rank()));
  check(static_cast<int>(tensors.size()) == ranks, "all_gather size");
  for (int rank = 0; rank < ranks; ++rank) {
    check(tensors[rank].equal(rows(rank)), "all_gather");
    check(scalars[rank].dim() == 0 && scalars[rank].item<float>() == rank, "all_gather scalar");
    check(texts[rank] == text(rank), "all_gather_bytes");
  }
  comm.barrier();
}

// Numbers whose float sum depends on the order: printed bits must be equal between ranks and runs.
void print_bits(Comm& comm) {
  at::Tensor tensor = at::arange(100'003, at::kFloat) * 1.1f + 1.f / (comm.rank() + 3);
  tensor = at::sin(tensor) * 1e3f;
  comm.all_reduce_sum(tensor);
  std::uint64_t hash = 14695981039346656037u;
  const auto* bytes = static_cast<const unsigned char*>(tensor.const_data_ptr());
  for (std::size_t i = 0; i < tensor.nbytes(); ++i) hash = (hash ^ bytes[i]) * 1099511628211u;
  const std::vector<std::string> hashes = comm.all_gather_bytes(std::to_string(hash));
  for (const std::string& other : hashes) check(other == hashes[0], "bits differ between ranks");
  if (comm.is_main()) std::printf("bits %s\n", hashes[0].c_str());
}

std::set<std::string> own_socket_inodes() {
  std::set<std::string> inodes;
  DIR* folder = ::opendir("/proc/self/fd");
  while (const dirent* entry = ::readdir(folder)) {
    char target[128] = {};
    const std::string path = std::string("/proc/self/fd/") + entry->d_name;
    if (::readlink(path.c_str(), target, sizeof target - 1) < 0) continue;
    const std::string text = target;
    if (text.starts_with("socket:[")) inodes.insert(text.substr(8, text.size() - 9));
  }
  ::closedir(folder);
  return inodes;
}

// Addresses, as /proc/net/tcp writes them, on which this process listens.
std::vector<std::string> listening_addresses() {
  constexpr const char* kListening = "0A";
  const std::set<std::string> own = own_socket_inodes();
  std::vector<std::string> addresses;
  for (const char* table : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      std::istringstream fields(line);
      std::string slot, local, remote, state, skip, inode;
      fields >> slot >> local >> remote >> state;
      for (int i = 0; i < 5; ++i) fields >> skip;
      fields >> inode;
      if (state == kListening && own.count(inode) > 0) addresses.push_back(local);
    }
  }
  return addresses;
}

// MASTER_ADDR as /proc/net/tcp writes it.
std::string master_in_hex() {
  const std::string master = std::getenv("MASTER_ADDR");
  in_addr address{};
  ::inet_pton(AF_INET, master == "localhost" ? "127.0.0.1" : master.c_str(), &address);
  char hex[16];
  std::snprintf(hex, sizeof hex, "%08X:", address.s_addr);
  return hex;
}

void check_listeners(Comm& comm) {
  const std::vector<std::string> addresses = listening_addresses();
  for (const std::string& address : addresses) {
    check(address.starts_with(master_in_hex()), "listens beyond MASTER_ADDR: " + address);
  }
  const auto all = comm.sum(static_cast<double>(addresses.size()));
  check(all >= comm.world_size(), "no listener found: the check sees nothing");
  if (comm.is_main()) std::printf("listeners ok\n");
}

void print_ok(Comm& comm) {
  check_reductions(comm);
  check_exchange(comm);
  if (comm.is_main()) std::printf("collectives ok %d\n", comm.world_size());
}

// Steps of collectives without end; in step 3 the last rank does `event`.
void steps_until(Comm& comm, const std::function<void()>& event) {
  comm.set_phase("rollout");
  for (std::int64_t step = 1;; ++step) {
    comm.set_step(step);
    comm.sum(1);
    if (step == 3 && comm.rank() == comm.world_size() - 1) event();
  }
}

volatile std::sig_atomic_t asked_to_stop = 0;

// What a trainer does: every rank agrees to stop, saves, and returns the code for it.
void stop_when_asked(Comm& comm) {
  std::signal(SIGTERM, [](int) { asked_to_stop = asked_to_stop + 1; });
  std::fprintf(stderr, "ready\n");
  while (!comm.any(asked_to_stop > 0)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::fprintf(stderr, "saved after %d signal\n", static_cast<int>(asked_to_stop));
  throw plumb::Error("interrupted", plumb::Exit::interrupted);
}

void skip_a_call(Comm& comm) {
  if (comm.rank() == 0) comm.barrier();
  comm.sum(1);
}

using Mode = std::function<void(Comm&)>;

const std::map<std::string, Mode> kModes = {
    {"collectives", print_ok},
    {"bits", print_bits},
    {"listeners", check_listeners},
    {"kill", [](Comm& comm) { steps_until(comm, [] { std::raise(SIGKILL); }); }},
    {"segv", [](Comm& comm) { steps_until(comm, [] { std::raise(SIGSEGV); }); }},
    {"exit3", [](Comm& comm) { steps_until(comm, [] { ::_exit(3); }); }},
    {"leave", [](Comm& comm) { steps_until(comm, [] { ::_exit(0); }); }},
    {"throw",
     [](Comm& comm) {
       steps_until(comm, [] { throw plumb::Error("loss is nan", plumb::Exit::non_finite); });
     }},
    {"stall", [](Comm& comm) { steps_until(comm, [] { std::raise(SIGSTOP); }); }},
    {"stop", stop_when_asked},
    {"skip", skip_a_call},
};

}  // namespace

int main(int, char** argv) {
  plumb::CommOptions options;
  if (const char* seconds = std::getenv("TEST_TIMEOUT"))
    options.timeout_seconds = std::atof(seconds);
  options.verify_calls = std::getenv("TEST_VERIFY") != nullptr;
  try {
    const auto comm = Comm::create(plumb::RankEnv::from_environment(), options);
    kModes.at(argv[1])(*comm);
    return 0;
  } catch (const plumb::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(error.code);
  }
}
