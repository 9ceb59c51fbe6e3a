/* The README's program is examples/hello.c, word for word: what is shown there compiles and runs. */
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

static char *text_of(const char *path) {
    FILE *f = fopen(path, "rb");
    char *text = f ? calloc(1, 65536) : NULL;
    if (text && fread(text, 1, 65535, f) == 0) text[0] = 0;
    if (f) fclose(f);
    return text;
}

TEST(docs, readme_shows_hello) {
    char *readme = text_of("README.md"), *hello = text_of("examples/hello.c");
    CHECK(readme && hello && *hello, "README.md and examples/hello.c are read from the project's folder");
    if (readme && hello) CHECK(strstr(readme, hello) != NULL, "README.md does not hold examples/hello.c as it is");
    free(readme);
    free(hello);
}
