/* table.h - what every table of rules includes: cmocka with the headers it wants before it. */
#ifndef ONSALE_TABLE_H
#define ONSALE_TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
