complete --keep-order --exclusive --command rcli --arguments "(RCLI_COMPLETE=fish rcli -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
