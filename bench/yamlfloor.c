/* The floor of reading YAML: libyaml's bare event loop over a file. Prints the number of events. */
#include <stdbool.h>
#include <stdio.h>
#include <yaml.h>

int main(int argc, char **argv)
{
    yaml_parser_t parser;
    yaml_event_t event;
    size_t events = 0;
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!f || !yaml_parser_initialize(&parser)) {
        fprintf(stderr, "usage: yamlfloor FILE\n");
        return 2;
    }
    yaml_parser_set_input_file(&parser, f);
    for (bool more = true; more; events++) {
        if (!yaml_parser_parse(&parser, &event)) {
            fprintf(stderr, "yamlfloor: %s\n", parser.problem);
            return 1;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    printf("%zu\n", events);
    yaml_parser_delete(&parser);
    fclose(f);
    return 0;
}
