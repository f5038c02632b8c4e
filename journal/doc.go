// Package journal keeps frames: small batches of opaque items, written in
// order to named logs, on disk before the writer hears yes. It stands between
// ingest, process and delivery and knows nothing of what the items mean.
//
//	ingest ──Committer──> EVENTS ──Reader──> process ──Append──> REPORTS, LEDGER ──Reader──> delivery
//
// A Journal is NATS JetStream, started inside the process and reached through
// in-process connections, with no port open; or, with Options.URL, a NATS
// cluster. A Log is one stream with one subject. A frame is one message, and
// its sequence in the stream is its name for good. JetStream is used as a log
// only: readers keep their own cursor, nothing is acknowledged or redelivered.
//
// # What is promised
//
//   - When Append or Commit return without an error, the frame is on disk
//     (fsync), or on the disks of a majority in a cluster. It survives the kill
//     of the process and the loss of power at any later instant.
//   - Frames of a log are read in the order of their sequences, each once per
//     Reader, with no gap but what was purged or has aged out (Reader.Skipped).
//   - A log that is full refuses frames. Nothing old is dropped to make room;
//     only LogOptions.MaxAge and Purge drop frames.
//   - Every reason why a frame could not be made durable is an ErrNotDurable: a
//     full disk, a full log, a full queue, a stopped journal, a timeout. Once
//     the reason is gone, later calls succeed; nobody has to restart anything.
//   - Memory is bounded: the queue of a Committer, the frames in flight of a Log
//     and the read-ahead of a Reader each have a limit in bytes.
//   - No log line and no error holds an item, a meta or a tag.
//
// # What is not promised
//
//   - ErrNotDurable does not mean that the frame is absent. After a timeout, a
//     lost connection or a ctx that ended, the frame may be on disk and may be
//     read later. A client repeats its event with the same messageId, and the
//     gateway or a reader tells the two apart.
//   - No frame is ever changed or removed by itself, and items have no keys: what
//     must be found by name belongs into the store.
//   - The server syncs a file of frames, not the folder in which it made the
//     file. ext4, xfs and btrfs keep the name of a file that was synced; a file
//     system that does not may lose the newest file with the power.
//   - Times of frames are the server's clock, which may be set back.
//
// # When the disk is full
//
// A write that the disk refuses makes the embedded server close the stream for
// writing for good, without an answer to the publisher. So appends are refused
// while less than Options.ReserveBytes are free, before the server meets the
// end of the disk. If it meets a write error all the same, the journal notices,
// answers ErrNotDurable, restarts the server in the background with growing
// pauses, and opens its readers again where they were.
//
// # Files
//
// Options.Dir holds the file "lock", which one process at a time locks and
// which names its process id, and the folder "jetstream" of the server. A log's
// folder is named after it: lower-case letters, digits, "-" and "_" as they
// are, "." as "+", "/" as "=", a capital as "~" and its small letter, any other
// byte as "~" and three decimal digits, behind the prefix "signal-".
package journal
