/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deliberate faults, to find out whether the suite notices them. A test build
 * has one of them at a time (make MUTANT=NUL_AFTER_DATA); any other has none, and the
 * compiler removes what is behind MUTANT().
 */
#ifndef CHANNEL_MUTANTS_H
#define CHANNEL_MUTANTS_H

#include <linux/kconfig.h>

#define MUTANT(name)	__is_defined(CHANNEL_MUTANT_##name)

#endif /* CHANNEL_MUTANTS_H */
