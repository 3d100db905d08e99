/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The gate protocol: how pipelines and hallmarkd speak over gate.sock.
 *
 * The socket is AF_UNIX SOCK_SEQPACKET. A packet is one deterministic CBOR array
 * [kind, ...] of at most 64 KiB; the table behind hm_gate_kind_row() says who may
 * say what. Packets are encoded and decoded here, for both ends, by nobody else.
 *
 * Sequence
 * --------
 * The client speaks first and has 2 s for it:
 *
 *   HELLO version 1, role, sensor        sensor is a bound name; empty for media
 *
 * The daemon accepts by the first packet of its role, or answers ERROR and closes.
 * One connection has one role and one sensor for its whole life.
 *
 * gate      The element hallmarkgate, one connection a sensor; a second one for
 *           the same sensor is refused while the first lives.
 *             -> HELLO                           <- ACK 0 (accepted)
 *             -> ASK nonce, last, passed, drops   after ACK, then each second,
 *                each quarter while shut, and once when it stops
 *             <- GRANT nonce, grants | reason     an answer to exactly that nonce
 *             <- REVOKE contexts                  at any time, unasked
 *             -> CLOSED contexts, n, reason       answers every REVOKE, with the
 *                contexts of the REVOKE, once no push is in flight: no buffer
 *                above n has passed or passes under them. Unasked when the gate
 *                shuts by itself (LEASE_RAN_OUT, STREAM_ENDED).
 *           A grant holds until 2 s after the gate sent its nonce, by the gate's
 *           own CLOCK_BOOTTIME (sensors/lease.h). A GRANT is the whole list: what
 *           it does not name is over. passed and drops count since HELLO. Numbers
 *           are GST_BUFFER_OFFSET; they begin at 1 in the life of an element, go
 *           up by one a passed buffer, and never go back over a reconnect.
 *
 * observer  The consumer below hallmarktiles, one connection a sensor; a second
 *           one is refused while the first lives.
 *             -> HELLO                           <- ACK 0 (accepted)
 *             -> PERIPHERAL 256 bytes             one a frame, in frame order
 *             -> OBSERVE seq, ...                 seq counts from 1, no holes
 *             -> EVENT kind, frame, text          END is the last message of a file
 *             <- ACK seq                          every OBSERVE up to seq is durable
 *                                                 or was refused and counted
 *           At most HM_GATE_WINDOW OBSERVEs may stand without an ACK: a live
 *           source drops the lowest value, a file waits. At most
 *           HM_GATE_PACKETS_A_SECOND packets a second, else the daemon closes.
 *
 * media     The program hallmark-media, one connection a program; no sensor.
 *             -> HELLO                           <- ACK 0 (accepted)
 *             <- START sensor, LCT, source, isolate   run a pipeline; the program
 *                opens a gate and an observer connection for it by itself. A START
 *                for a running sensor with the same source changes nothing.
 *             <- STOP sensor                      stop it, send what is left, close
 *             <- DISCOVER                        -> SOURCES list
 *             -> EVENT kind, 0, text              about the program, not a sensor
 *           When the connection ends every pipeline goes on (its gate shuts by
 *           itself within 2 s); after the reconnect the daemon sends START again.
 *
 * sink      Reserved for hallmarksink; as observer, without PERIPHERAL.
 *
 * Either end may send ERROR status, text and then close. Anything malformed,
 * of the wrong direction, of another role, or over a limit ends the connection.
 */
#ifndef HM_SENSORS_GATE_H
#define HM_SENSORS_GATE_H

#include "trust/codec.h"

enum {
  HM_GATE_VERSION = 1,
  HM_GATE_PACKET = 65536,          /* bytes a packet */
  HM_GATE_PATH = 107,              /* bytes of the socket's path */
  HM_GATE_TEXT = 64,               /* bytes of a text for people */
  HM_GATE_NAME = 32,               /* bytes of a sensor's name */
  HM_GATE_SOURCE = 4096,           /* bytes of a source string */
  HM_GATE_CONTEXTS = 16,           /* contexts a sensor can be granted at once */
  HM_GATE_DATA_TYPES = 14,         /* data types in a grant */
  HM_GATE_SOURCES = 256,           /* rows of SOURCES */
  HM_GATE_PERIPHERAL = 256,        /* bytes of a peripheral record */
  HM_GATE_PICTURE = 3072,          /* bytes of an evidence picture */
  HM_GATE_VECTOR = 4096,           /* most bytes of a vector */
  HM_GATE_WINDOW = 64,             /* OBSERVEs without an ACK */
  HM_GATE_PACKETS_A_SECOND = 2000, /* what the daemon takes on a connection */
  HM_GATE_HELLO_MS = 2000          /* from accept to HELLO */
};

/* Default place of the socket. */
#define HM_GATE_SOCKET "/run/hallmark/gate.sock"

enum hm_gate_kind {
  HM_GATE_HELLO = 1,
  HM_GATE_GRANT = 2,
  HM_GATE_ASK = 3,
  HM_GATE_REVOKE = 4,
  HM_GATE_CLOSED = 5,
  HM_GATE_PERIPHERAL_RECORD = 6,
  HM_GATE_OBSERVE = 7,
  HM_GATE_EVENT = 8,
  HM_GATE_START = 9,
  HM_GATE_STOP = 10,
  HM_GATE_ACK = 11,
  HM_GATE_SOURCES_LIST = 12,
  HM_GATE_DISCOVER = 13,
  HM_GATE_ERROR = 15
};

enum hm_gate_role {
  HM_GATE_ROLE_GATE = 1,
  HM_GATE_ROLE_OBSERVER = 2,
  HM_GATE_ROLE_SINK = 3,
  HM_GATE_ROLE_MEDIA = 4
};

/* Why a gate is shut: on the wire in GRANT and CLOSED, and in the element's
 * property "reason". hm_gate_reason_text() has the sentences. */
enum hm_gate_reason {
  HM_GATE_OPEN = 0,     /* not shut */
  HM_GATE_UNPAIRED = 1, /* no live pairing lets this sensor's frames flow */
  HM_GATE_REVOKED = 2,  /* the last pairing was revoked */
  HM_GATE_PAIRING_EXPIRED = 3,
  HM_GATE_DISABLED = 4,        /* `hallmark disable` */
  HM_GATE_UNKNOWN_SENSOR = 5,  /* no sensor of that name is bound */
  HM_GATE_REFUSED = 6,         /* this user or unit may not be the gate of it */
  HM_GATE_HELD = 7,            /* another gate holds the sensor */
  HM_GATE_SHUTDOWN = 8,        /* the daemon stops */
  HM_GATE_LEASE_RAN_OUT = 9,   /* no fresh answer for 2 s */
  HM_GATE_DAEMON_GONE = 10,    /* the connection ended, or none could be made */
  HM_GATE_STREAM_ENDED = 11,   /* end of stream or the element was stopped */
  HM_GATE_ANCHOR_DIFFERS = 12, /* the device at the source is not the one bound */
  HM_GATE_NOT_ASKED = 13,      /* just started, no answer yet */
  HM_GATE_REASON_COUNT
};

/* What a gate or an observer lost, by the reasons of a sensor leaf. */
enum hm_gate_drop {
  HM_GATE_DROP_BACK_PRESSURE = 1,
  HM_GATE_DROP_RATE = 2,
  HM_GATE_DROP_STORM = 3,
  HM_GATE_DROP_DISK = 4,
  HM_GATE_DROP_INVALID = 5,
  HM_GATE_DROP_OTHER = 6, /* among them: the gate was shut */
  HM_GATE_DROPS = 6
};

enum hm_gate_event {
  HM_GATE_EVENT_FLOWING = 1,     /* the first frame after a start or a gap */
  HM_GATE_EVENT_END = 2,         /* the source ended: a file is through */
  HM_GATE_EVENT_ERROR = 3,       /* the source failed; text says how */
  HM_GATE_EVENT_STALLED = 4,     /* no frame for 2 s while the gate is open */
  HM_GATE_EVENT_RECONNECT = 5,   /* trying the source again; text says when */
  HM_GATE_EVENT_STATE = 6,       /* sensor state changed; text is its name */
  HM_GATE_EVENT_DROPPED = 7,     /* back-pressure cleared; text says how many */
  HM_GATE_EVENT_UNSUPPORTED = 8, /* the source's format cannot be measured */
  HM_GATE_EVENT_SHUT = 9,        /* the gate shut; text is the reason */
  HM_GATE_EVENT_COUNT
};

enum hm_gate_format { HM_GATE_GRAY8 = 1, HM_GATE_I420 = 2, HM_GATE_NV12 = 3 };

/* A grant: the sensor's frames may flow in this context under this certificate. */
struct hm_gate_grant {
  uint64_t context;             /* 1..65535 */
  uint8_t certificate[HM_HASH]; /* name of the pairing certificate */
  uint32_t data_type_count;     /* ascending codes 1..20 */
  uint8_t data_types[HM_GATE_DATA_TYPES];
  uint8_t policy_hash[HM_HASH];
  uint64_t kid16; /* 1..65534, of the pairing; peripheral records carry it */
};

struct hm_gate_source {
  struct hm_bytes string; /* "v4l2:video1", 1..4096, never with a user part */
  struct hm_bytes kind;   /* "camera", 1..64 */
  struct hm_bytes what;   /* "imx477", 0..64 */
  struct hm_bytes state;  /* "free", 0..64 */
};

struct hm_gate_message {
  enum hm_gate_kind kind;
  union {
    struct {
      uint64_t version; /* 1 */
      enum hm_gate_role role;
      struct hm_bytes sensor; /* 0..32 */
    } hello;
    struct {
      uint8_t nonce[HM_NONCE];
      uint64_t last_frame; /* 0: none passed yet */
      uint64_t passed;
      uint64_t dropped[HM_GATE_DROPS]; /* [reason - 1]; zeros are not sent */
    } ask;
    struct {
      uint8_t nonce[HM_NONCE];
      uint32_t count; /* 0: no, and reason says why; else reason is OPEN */
      struct hm_gate_grant grants[HM_GATE_CONTEXTS]; /* ascending context */
      enum hm_gate_reason reason;
    } grant;
    struct {
      uint32_t count; /* 1..16, ascending */
      uint16_t contexts[HM_GATE_CONTEXTS];
    } revoke;
    struct {
      uint32_t count; /* 0..16, ascending */
      uint16_t contexts[HM_GATE_CONTEXTS];
      uint64_t last_frame; /* n: no frame above it passes under these contexts */
      enum hm_gate_reason reason;
    } closed;
    struct {
      uint8_t record[HM_GATE_PERIPHERAL];
    } peripheral;
    struct {
      uint64_t seq;
      uint64_t frame;
      bool has_pts; /* else nil: the buffer had no timestamp */
      uint64_t pts_ns;
      uint64_t boottime_ns;   /* when the gate's side measured it */
      uint64_t width, height; /* pixels of the frame, 1..65535 */
      enum hm_gate_format format;
      uint16_t region[4];       /* x, y, width, height */
      uint16_t factors[5];      /* trust, Q8: exposure, sharp, noise, live, information */
      bool has_value[5];        /* false: nil, unmeasured */
      uint16_t value[5];        /* Q8: surprise, novelty, arousal, reward, conflict */
      struct hm_bytes picture;  /* 3,072 bytes, or empty: nil */
      struct hm_bytes vector;   /* 1..4096 bytes, or empty: nil */
      bool has_encoder;         /* iff there is a vector */
      uint8_t encoder[HM_HASH]; /* encoder hash */
    } observe;
    struct {
      enum hm_gate_event event;
      uint64_t frame;       /* 0: of no frame */
      struct hm_bytes text; /* 0..64 */
    } event;
    struct {
      struct hm_bytes sensor; /* 1..32 */
      uint8_t lct[HM_HASH];
      struct hm_bytes source; /* 1..4096, as bound */
      bool isolate;           /* 0 or 1 on the wire */
    } start;
    struct {
      struct hm_bytes sensor; /* 1..32 */
    } stop;
    struct {
      uint64_t seq;
    } ack;
    struct {
      uint32_t count;
      struct hm_gate_source list[HM_GATE_SOURCES];
    } sources;
    struct {
      enum hm_status status;
      struct hm_bytes text; /* 0..64 */
    } error;
  } u;
};

/* A row of the table of kinds, for `hallmark spec` and for the checks of role. */
struct hm_gate_kind_row {
  enum hm_gate_kind kind;
  const char *name; /* "HELLO" */
  bool from_client;
  unsigned roles;      /* bit (1 << role) */
  const char *members; /* "version, role, sensor" */
};

/* Row by index, NULL past the last. */
const struct hm_gate_kind_row *hm_gate_kind_row(size_t index);

/* Decode one packet, all of it. Views point into packet. where may be NULL and
 * names the member on failure. The kind's direction and role are not looked at:
 * see hm_gate_may_say. */
enum hm_status HM_MUST_CHECK hm_gate_decode(struct hm_bytes packet, struct hm_gate_message *m,
                                            struct hm_where *where);

/* Encode one packet; HM_MALFORMED where a value is outside its limits,
 * HM_SHORT_BUFFER where out is too small, HM_TOO_LARGE over 64 KiB. */
enum hm_status HM_MUST_CHECK hm_gate_encode(const struct hm_gate_message *m, struct hm_out *out,
                                            struct hm_where *where);

/* Whether that end may send that kind on a connection of that role. HELLO and
 * ERROR may be said on any. */
bool hm_gate_may_say(enum hm_gate_kind kind, bool from_client, enum hm_gate_role role);

/* Sentences and short names; a value outside gives "unknown". Never NULL. */
const char *hm_gate_reason_text(enum hm_gate_reason reason);
const char *hm_gate_reason_name(enum hm_gate_reason reason);
const char *hm_gate_event_name(enum hm_gate_event event);
const char *hm_gate_role_name(enum hm_gate_role role);
const char *hm_gate_drop_name(enum hm_gate_drop drop);

#endif
