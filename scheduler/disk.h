/* disk.h - the disk of the state: while it is full, does not work or holds a damaged file, no claim is made; a little
 * before that no people are read and no sites walked. Loop thread. */
#ifndef ONSALE_DISK_H
#define ONSALE_DISK_H

#include "world.h"

/* Takes what the store knows of its disk (store_look()): holds what may not go on, and lets it go on by itself when all
 * is well again; what an operator holds stays held. Every few seconds, while there are launches. */
void disk_look(struct world *world);

#endif
