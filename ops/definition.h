/* ops/definition.h: rules of ops with several outputs, from what smaller ops say of all of them. */
#ifndef TG_DEFINITION_H
#define TG_DEFINITION_H

#include "ops/op_file.h"

/* Records every output of an op in smaller ops. */
typedef void tg__define_all(tg_tape *t, const tg_tensor *in, int n_in, const void *attr, tg_tensor *outs);

/* Differentiates the definition, recorded anew on identities of the inputs, and gives what the engine asks for. */
void tg__vjp_by_definition(tg_vjp_args *v, tg__define_all *define);

#endif
