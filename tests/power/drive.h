/* drive.h - a disk that remembers what was asked of it: a VFS of SQLite before the real one, and the few calls by which
 * the rest of the store writes a file for good (fsync, rename, link; wrapped by the linker). From that record the disk
 * can be built as a power cut would leave it, at any place. Any thread may write; the rest is for one. */
#ifndef ONSALE_DRIVE_H
#define ONSALE_DRIVE_H

#include "text.h"

#include <stdbool.h>

struct drive;

/* Takes the place of the default VFS. Of the files in `folder`, those whose name begins with one of `names` (NULL ends
 * them) are remembered. */
struct drive *drive_insert(const char *folder, const char *const *names);
void drive_remove(struct drive *drive);
/* From here on operations are added to the record, or are not. What is written reaches the real files either way. */
void drive_record(struct drive *drive, bool on);
/* A drive, or a program, for which sync means nothing: it is not written down. */
void drive_ignore_sync(struct drive *drive, bool on);
/* How many operations the record has: the position of whatever happens now. */
size_t drive_position(struct drive *drive);

enum drive_cut {
    DRIVE_WRITTEN, /* all that was asked for is on the disk */
    DRIVE_DROPPED, /* only what was synced */
    DRIVE_TORN,    /* of what was not synced yet, any sectors of 512 bytes, any names, by a seed */
    DRIVE_CUTS
};
/* The files as they are after a cut before operation `position`, in the folder; all remembered names that are not there
 * are removed. Returns a hash of what was built. */
uint64_t drive_build(struct drive *drive, size_t position, enum drive_cut cut, uint64_t seed);

#endif
