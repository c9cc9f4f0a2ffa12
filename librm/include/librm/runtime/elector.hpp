// Which of several masters leads: what is told to them and to who looks for them, and the decision.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/base/time.hpp"

namespace librm {

/// One master as the group's service keeps it. Values have no line breaks.
struct Member {
  std::string id;       ///< chosen by the master, for people
  std::string frames;   ///< `host:port` of the cluster's own protocol
  std::string http;     ///< `host:port` of the HTTP edge
  std::string version;  ///< of its program
  bool operator==(const Member&) const = default;
};

/// Lines of text: `librm-member 1`, then `key=value`; a reader ignores keys that it does not know.
std::string encode_member(const Member& member);
/// Fails with `corrupt` for other text, with `unsupported` for a later format.
Result<Member> decode_member(std::string_view text);

/// What everybody is told. While nobody answers it stays what it was last.
struct Election {
  bool connected = false;
  std::vector<Member> members;  ///< in order of succession; the first leads
  bool operator==(const Election&) const = default;

  const Member* leader() const { return members.empty() ? nullptr : &members.front(); }
};

/// Called on the elector's loop, never from within a call of its owner. Any may be left empty.
struct ElectorCallbacks {
  /// This process leads, as long as leading().
  std::function<void()> on_elected;
  /// It does no more; called after the lease has ended at the latest. It contends again by itself,
  /// so that on_elected may follow.
  std::function<void(const std::string& reason)> on_deposed;
  std::function<void(const Election&)> on_change;
  /// What an operator must see to, once each time that it begins: permission_denied for a wrong
  /// password, unavailable for names that do not resolve. It is tried again by itself.
  std::function<void(const Error&)> on_error;
  /// What the service's client library wrote; a few lines a minute, one of them counts the rest.
  std::function<void(const std::string& line)> on_log;
};

/// Contends for the lead, or only watches who has it. Not thread-safe: for its loop's thread.
class Elector {
 public:
  virtual ~Elector() = default;
  virtual void start() = 0;
  /// Withdraws at once, so that another is elected without a timeout; no callback follows. It
  /// cannot be started again.
  virtual void stop() = 0;
  virtual const Election& election() const = 0;
  /// True between on_elected and lease_until(), also where the loop was too busy for on_deposed.
  virtual bool leading() const = 0;
  /// The instant, on boot time, from which another may lead: two thirds of the session after the
  /// sending of the last question that a majority answered. In the past where it does not lead.
  virtual Instant lease_until() const = 0;
};

// --- the decision, without effects ---

/// What has happened to the session and the group.
namespace election_event {
struct Connected {
  std::uint64_t session = 0;  ///< another than before is a new one
  Duration timeout;           ///< as granted
};
struct Disconnected {};
struct Expired {};
struct GroupChanged {};
/// The answer to List. Names are of any kind; others than a member's are ignored.
struct Listed {
  std::vector<std::string> names;
};
/// The answer to Read; nothing where the node is gone.
struct WasRead {
  std::string name;
  std::optional<std::string> text;
};
/// The answer to Create or to MakePath.
struct Created {};
/// The answer to Confirm.
struct Confirmed {
  Instant sent;         ///< when it was asked
  bool exists = false;  ///< our node is there
};
/// In place of an answer. Nothing comes for what was asked before Disconnected.
struct Failed {
  enum class Request : std::uint8_t { list, create, make_path, read, confirm };
  enum class Why : std::uint8_t {
    no_path,  ///< the group's node is not there
    refused,  ///< not allowed, or not possible
    lost,     ///< the connection; Disconnected follows or has come
  };
  Request request = Request::list;
  Why why = Why::lost;
  Error error;  ///< where it was refused
};
struct Tick {};
}  // namespace election_event

using ElectionEvent =
    std::variant<election_event::Connected, election_event::Disconnected, election_event::Expired,
                 election_event::GroupChanged, election_event::Listed, election_event::WasRead,
                 election_event::Created, election_event::Confirmed, election_event::Failed,
                 election_event::Tick>;

namespace election_action {
struct OpenSession {};  ///< the old one is over
struct List {};         ///< names in the group, and GroupChanged when they are others
struct MakePath {};     ///< the group's node and those above
struct Create {};       ///< our node: ephemeral, named by node_prefix() and a sequence number
struct Read {
  std::string name;
};
/// Ask a majority whether our node is there.
struct Confirm {
  std::string name;
};
struct Elected {};
struct Deposed {
  std::string reason;
};
struct Changed {};  ///< election() is another
struct Report {
  Error error;
};
}  // namespace election_action

using ElectionAction =
    std::variant<election_action::OpenSession, election_action::List, election_action::MakePath,
                 election_action::Create, election_action::Read, election_action::Confirm,
                 election_action::Elected, election_action::Deposed, election_action::Changed,
                 election_action::Report>;

/// `m-<session in hexadecimal>-`: a node of which the creation was not answered is known again.
std::string node_prefix(std::uint64_t session);

/// Who leads is whose node has the lowest sequence number, and who has had it confirmed within two
/// thirds of its session: its node outlives that by a third, on the servers' clock. Pure.
class ElectionCore {
 public:
  explicit ElectionCore(bool contends) : contends_(contends) {}

  /// Appends actions in the order in which they must take effect.
  void step(Instant now, const ElectionEvent& event, std::vector<ElectionAction>& out);
  /// When the next Tick is wanted.
  std::optional<Instant> next_deadline() const;

  const Election& election() const { return told_; }
  bool leading(Instant now) const { return leading_ && now < lease_until_; }
  Instant lease_until() const { return leading_ ? lease_until_ : Instant{}; }

 private:
  struct Node {
    std::int64_t sequence = 0;
    std::uint64_t session = 0;
    std::string name;
    auto operator<=>(const Node&) const = default;
  };
  using Out = std::vector<ElectionAction>;

  static std::optional<Node> parse(const std::string& name);
  void on(Instant now, const election_event::Connected& event, Out& out);
  void on(Instant now, const election_event::Disconnected& event, Out& out);
  void on(Instant now, const election_event::Expired& event, Out& out);
  void on(Instant now, const election_event::GroupChanged& event, Out& out);
  void on(Instant now, const election_event::Listed& event, Out& out);
  void on(Instant now, const election_event::WasRead& event, Out& out);
  void on(Instant now, const election_event::Created& event, Out& out);
  void on(Instant now, const election_event::Confirmed& event, Out& out);
  void on(Instant now, const election_event::Failed& event, Out& out);
  void on(Instant now, const election_event::Tick& event, Out& out);

  void list(Out& out);
  void contend(Instant now, Out& out);
  void depose(std::string reason, Out& out);
  void tell(Out& out);
  const Node* own() const;
  bool lowest() const;

  bool contends_;
  std::optional<std::uint64_t> session_;
  Duration timeout_;
  bool connected_ = false;

  bool listing_ = false;
  bool list_again_ = false;
  bool creating_ = false;
  bool confirming_ = false;
  std::set<std::string> reading_;
  std::optional<Instant> retry_at_;
  std::optional<Error> reported_;

  std::vector<Node> nodes_;  // by sequence number
  std::map<std::string, std::optional<Member>> members_;
  Election told_;

  bool leading_ = false;
  Instant lease_until_;
  Instant confirm_at_;
};

}  // namespace librm
