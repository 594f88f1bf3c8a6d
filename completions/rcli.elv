
set edit:completion:arg-completer[rcli] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) RCLI_COMPLETE="elvish" rcli -- $@words) | to-lines
}

