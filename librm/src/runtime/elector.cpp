// The election's decision, and the text in which a master describes itself.
#include "librm/runtime/elector.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace librm {
namespace {

constexpr std::string_view member_magic = "librm-member ";
constexpr int member_format = 1;
constexpr Duration refused_retry = seconds(5);
constexpr Duration lost_retry = seconds(1);
constexpr int confirms_per_session = 6;
constexpr std::size_t sequence_digits = 10;

}  // namespace

std::string encode_member(const Member& member) {
  std::string text(member_magic);
  text += std::to_string(member_format) + "\n";
  const std::pair<const char*, const std::string*> fields[] = {{"id=", &member.id},
                                                               {"frames=", &member.frames},
                                                               {"http=", &member.http},
                                                               {"version=", &member.version}};
  for (const auto& [key, value] : fields) {
    text += key;
    for (char c : *value) text += c == '\n' ? ' ' : c;
    text += '\n';
  }
  return text;
}

Result<Member> decode_member(std::string_view text) {
  const auto line = [&text] {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view found = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return found;
  };
  const std::string_view first = line();
  int format = 0;
  if (first.starts_with(member_magic)) {
    std::from_chars(first.data() + member_magic.size(), first.data() + first.size(), format);
  }
  if (format <= 0) return fail(ErrorCode::corrupt, "not a master of librm");
  if (format > member_format) {
    return fail(ErrorCode::unsupported, "a master of format " + std::to_string(format) +
                                            ", this program knows " +
                                            std::to_string(member_format));
  }
  Member member;
  while (!text.empty()) {
    const std::string_view pair = line();
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return fail(ErrorCode::corrupt, "a line without =");
    const std::string_view key = pair.substr(0, equals);
    const std::string value(pair.substr(equals + 1));
    if (key == "id") member.id = value;
    if (key == "frames") member.frames = value;
    if (key == "http") member.http = value;
    if (key == "version") member.version = value;
  }
  return member;
}

std::string node_prefix(std::uint64_t session) {
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, session, 16);
  return "m-" + std::string(digits, end) + "-";
}

std::optional<ElectionCore::Node> ElectionCore::parse(const std::string& name) {
  const std::size_t dash = name.rfind('-');
  if (!name.starts_with("m-") || dash < 3 || name.size() - dash - 1 < sequence_digits) {
    return std::nullopt;
  }
  Node node;
  node.name = name;
  const char* const begin = name.data();
  const auto session = std::from_chars(begin + 2, begin + dash, node.session, 16);
  const auto sequence = std::from_chars(begin + dash + 1, begin + name.size(), node.sequence, 10);
  if (session.ec != std::errc() || session.ptr != begin + dash) return std::nullopt;
  if (sequence.ec != std::errc() || sequence.ptr != begin + name.size()) return std::nullopt;
  return node;
}

void ElectionCore::step(Instant now, const ElectionEvent& event, std::vector<ElectionAction>& out) {
  // Whatever else has happened: the lease is over when its time has come.
  if (leading_ && now >= lease_until_) {
    depose("no majority has confirmed it for " + std::to_string(to_ms(timeout_ * 2 / 3)) + " ms",
           out);
  }
  std::visit([&](const auto& specific) { on(now, specific, out); }, event);
}

std::optional<Instant> ElectionCore::next_deadline() const {
  Deadline deadline;
  if (leading_) deadline.at_latest(lease_until_);
  if (connected_ && lowest() && !confirming_) deadline.at_latest(confirm_at_);
  if (connected_ && retry_at_) deadline.at_latest(*retry_at_);
  return deadline.mono;
}

const ElectionCore::Node* ElectionCore::own() const {
  if (!session_) return nullptr;
  const auto found = std::find_if(nodes_.begin(), nodes_.end(),
                                  [&](const Node& node) { return node.session == *session_; });
  return found == nodes_.end() ? nullptr : &*found;
}

bool ElectionCore::lowest() const {
  return contends_ && session_ && !nodes_.empty() && nodes_.front().session == *session_;
}

void ElectionCore::list(Out& out) {
  if (!connected_) return;
  retry_at_.reset();
  list_again_ = listing_;
  if (listing_) return;
  listing_ = true;
  out.push_back(election_action::List{});
}

void ElectionCore::depose(std::string reason, Out& out) {
  if (!leading_) return;
  leading_ = false;
  out.push_back(election_action::Deposed{std::move(reason)});
}

/// Our own part, after what is known has changed.
void ElectionCore::contend(Instant now, Out& out) {
  if (!contends_ || !connected_) return;
  if (own() == nullptr) {
    depose("its node is gone", out);
    if (!creating_ && !retry_at_) {
      creating_ = true;
      out.push_back(election_action::Create{});
    }
    return;
  }
  if (!lowest()) {
    depose(nodes_.front().name + " precedes it", out);
    return;
  }
  if (!confirming_ && now >= confirm_at_) {
    confirming_ = true;
    out.push_back(election_action::Confirm{nodes_.front().name});
  }
}

void ElectionCore::tell(Out& out) {
  // Until all are read it is told as it was, lest a leader appear to change for a moment.
  Election now;
  now.connected = connected_;
  now.members = told_.members;
  if (connected_ && reading_.empty() && !listing_) {
    now.members.clear();
    for (const Node& node : nodes_) {
      const auto member = members_.find(node.name);
      if (member != members_.end() && member->second) now.members.push_back(*member->second);
    }
  }
  if (now == told_) return;
  told_ = std::move(now);
  out.push_back(election_action::Changed{});
}

void ElectionCore::on(Instant now, const election_event::Connected& event, Out& out) {
  if (session_ != event.session) {
    depose("its session is another", out);
    session_ = event.session;
  }
  timeout_ = event.timeout;
  connected_ = true;
  confirm_at_ = now;
  retry_at_.reset();
  list(out);
}

void ElectionCore::on(Instant, const election_event::Disconnected&, Out& out) {
  // The session may live on, and with it node and lease.
  connected_ = listing_ = list_again_ = creating_ = confirming_ = false;
  reading_.clear();
  tell(out);
}

void ElectionCore::on(Instant now, const election_event::Expired&, Out& out) {
  depose("its session has expired", out);
  session_.reset();
  on(now, election_event::Disconnected{}, out);
  out.push_back(election_action::OpenSession{});
}

void ElectionCore::on(Instant, const election_event::GroupChanged&, Out& out) { list(out); }

void ElectionCore::on(Instant now, const election_event::Listed& event, Out& out) {
  listing_ = false;
  nodes_.clear();
  for (const std::string& name : event.names) {
    if (std::optional<Node> node = parse(name)) nodes_.push_back(std::move(*node));
  }
  std::sort(nodes_.begin(), nodes_.end());
  const auto listed = [this](const std::string& name) {
    return std::any_of(nodes_.begin(), nodes_.end(),
                       [&](const Node& node) { return node.name == name; });
  };
  std::erase_if(members_, [&](const auto& member) { return !listed(member.first); });
  std::erase_if(reading_, [&](const std::string& name) { return !listed(name); });
  for (const Node& node : nodes_) {
    if (members_.contains(node.name) || !reading_.insert(node.name).second) continue;
    out.push_back(election_action::Read{node.name});
  }
  if (!contends_ || own() != nullptr) reported_.reset();
  contend(now, out);
  if (list_again_) list(out);
  tell(out);
}

void ElectionCore::on(Instant, const election_event::WasRead& event, Out& out) {
  if (reading_.erase(event.name) == 0) return;
  if (event.text) {
    Result<Member> member = decode_member(*event.text);
    members_[event.name] = member ? std::optional<Member>(std::move(*member)) : std::nullopt;
  }
  tell(out);
}

void ElectionCore::on(Instant, const election_event::Created&, Out& out) {
  creating_ = false;
  list(out);
}

void ElectionCore::on(Instant now, const election_event::Confirmed& event, Out& out) {
  confirming_ = false;
  confirm_at_ = event.sent + timeout_ / confirms_per_session;
  if (!event.exists) {
    depose("its node is gone", out);
    confirm_at_ = now + timeout_ / confirms_per_session;
    list(out);
    return;
  }
  if (!lowest()) return;
  const Instant until = event.sent + timeout_ * 2 / 3;
  if (until <= now) return;
  lease_until_ = std::max(until, leading_ ? lease_until_ : until);
  if (leading_) return;
  leading_ = true;
  out.push_back(election_action::Elected{});
}

void ElectionCore::on(Instant now, const election_event::Failed& event, Out& out) {
  using election_event::Failed;
  switch (event.request) {
    case Failed::Request::list:
      listing_ = false;
      break;
    case Failed::Request::create:
    case Failed::Request::make_path:
      creating_ = false;
      break;
    case Failed::Request::confirm:
      confirming_ = false;
      confirm_at_ = now + timeout_ / confirms_per_session;
      break;
    case Failed::Request::read:
      break;
  }
  if (!connected_) return;
  if (event.why == Failed::Why::lost) {
    if (!retry_at_) retry_at_ = now + lost_retry;  // only if no Disconnected follows
    return;
  }
  if (event.why == Failed::Why::no_path) {
    nodes_.clear();
    depose("its node is gone", out);
    if (contends_ && !creating_) {
      creating_ = true;
      out.push_back(election_action::MakePath{});
    }
    // Made between the question and the watch for its making, it would never be heard of.
    if (!contends_) retry_at_ = now + lost_retry;
    tell(out);
    return;
  }
  retry_at_ = now + refused_retry;
  if (reported_ == event.error) return;
  reported_ = event.error;
  out.push_back(election_action::Report{event.error});
}

void ElectionCore::on(Instant now, const election_event::Tick&, Out& out) {
  if (retry_at_ && now >= *retry_at_) list(out);
  // Not contend(): what is missing is created when a list says so.
  if (own() != nullptr) contend(now, out);
}

}  // namespace librm
