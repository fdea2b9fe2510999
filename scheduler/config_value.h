/* config_value.h - inside of the configuration reader only: one node of the tree -> one field, as an option says. What
 * does not fit is a problem at the node's place, and the field keeps what was there, or holds what is good of it. Texts
 * and lists live in the document's arena. The types that nest are not for here: config.c goes into them. */
#ifndef ONSALE_CONFIG_VALUE_H
#define ONSALE_CONFIG_VALUE_H

#include "config_tree.h"

/* Every type but SECTION, ITEMS, SECRET and PLACE. */
void config_value_read(struct config_doc *doc, const struct config_option *option, const struct config_node *node,
                       void *field);

/* SECRET: as it stands in the file, or in the first line of the file that `node` names. */
void config_value_secret(struct config_doc *doc, const struct config_option *option, const struct config_node *node,
                         const char **field);
void config_value_secret_file(struct config_doc *doc, const struct config_option *option,
                              const struct config_node *node, const char **field);

/* May everybody on this machine read that file? */
bool config_open_to_all(const char *path);

/* What the option takes, in words: "a span such as 30s, 5m, 1h or 7d from 1s to 1h". */
const char *config_value_expects(struct arena *arena, const struct config_option *option);
/* "rate: expected a rate such as ..., found "fast"": the value of a secret is never shown. */
void config_value_mismatch(struct config_doc *doc, const struct config_option *option, const struct config_node *node);

#endif
