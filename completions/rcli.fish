# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rcli_global_optspecs
    string join \n h/host= p/port= s/socket= u/url= n/db= a/pass= user= pass-file= askpass no-auth-warning 2 3 t/connect-timeout= read-timeout= tls cacert= cert= key= sni= insecure sandbox json raw human d= D= encoding= show-pushes color= ?/help version x X= r= i= quoted-input
end

function __fish_rcli_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rcli_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rcli_using_subcommand
    set -l cmd (__fish_rcli_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rcli -n "__fish_rcli_needs_command" -s h -l host -d 'Server host name or address [default: 127.0.0.1]' -r -f -a "(__fish_print_hostnames)"
complete -c rcli -n "__fish_rcli_needs_command" -s p -l port -d 'Server port [default: 6379]' -r
complete -c rcli -n "__fish_rcli_needs_command" -s s -l socket -d 'Unix socket of the server' -r -F
complete -c rcli -n "__fish_rcli_needs_command" -s u -l url -d 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]' -r -f
complete -c rcli -n "__fish_rcli_needs_command" -s n -l db -d 'Database number [default: 0]' -r
complete -c rcli -n "__fish_rcli_needs_command" -s a -l pass -d 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]' -r
complete -c rcli -n "__fish_rcli_needs_command" -l user -d 'ACL user name' -r
complete -c rcli -n "__fish_rcli_needs_command" -l pass-file -d 'Read the password from the first line of a file' -r -F
complete -c rcli -n "__fish_rcli_needs_command" -s t -l connect-timeout -d 'Limit on connecting, in seconds [default: 5]' -r
complete -c rcli -n "__fish_rcli_needs_command" -l read-timeout -d 'Limit on the silence while an answer is waited for, in seconds [default: none]' -r
complete -c rcli -n "__fish_rcli_needs_command" -l cacert -d 'Authorities to trust, PEM [default: the system\'s]' -r -F
complete -c rcli -n "__fish_rcli_needs_command" -l cert -d 'Client certificate, PEM' -r -F
complete -c rcli -n "__fish_rcli_needs_command" -l key -d 'Key of the client certificate, PEM' -r -F
complete -c rcli -n "__fish_rcli_needs_command" -l sni -d 'Host name to ask for, and to check the certificate against' -r
complete -c rcli -n "__fish_rcli_needs_command" -s d -d 'Raw: between the elements of a reply [default: newline]' -r
complete -c rcli -n "__fish_rcli_needs_command" -s D -d 'Raw: after a reply [default: newline]' -r
complete -c rcli -n "__fish_rcli_needs_command" -l encoding -d 'JSON: how bulk strings are written [default: utf8]' -r -f -a "utf8\t'Text; what is not UTF-8 as {"base64":"..."}'
base64\t'Every bulk string as {"base64":"..."}'"
complete -c rcli -n "__fish_rcli_needs_command" -l color -d 'When to use colours [default: auto]' -r -f -a "auto\t'On a terminal'
always\t'In any case'
never\t'Not at all'"
complete -c rcli -n "__fish_rcli_needs_command" -s X -d 'Read the argument that is TAG from standard input' -r
complete -c rcli -n "__fish_rcli_needs_command" -s r -d 'Run the command N times; -1: for ever' -r
complete -c rcli -n "__fish_rcli_needs_command" -s i -d 'Pause between the runs of -r, in seconds' -r
complete -c rcli -n "__fish_rcli_needs_command" -l askpass -d 'Ask for the password on the terminal'
complete -c rcli -n "__fish_rcli_needs_command" -l no-auth-warning -d 'No warning about -a'
complete -c rcli -n "__fish_rcli_needs_command" -s 2 -d 'Speak RESP2'
complete -c rcli -n "__fish_rcli_needs_command" -s 3 -d 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
complete -c rcli -n "__fish_rcli_needs_command" -l tls -d 'Connect with TLS'
complete -c rcli -n "__fish_rcli_needs_command" -l insecure -d 'Check neither certificate nor host name'
complete -c rcli -n "__fish_rcli_needs_command" -l sandbox -d 'Run against a throw-away local server'
complete -c rcli -n "__fish_rcli_needs_command" -l json -d 'One line of JSON a reply [env: RCLI_FORMAT=json]'
complete -c rcli -n "__fish_rcli_needs_command" -l raw -d 'Bytes as they are, one element a line [default when stdout is not a terminal]'
complete -c rcli -n "__fish_rcli_needs_command" -l human -d 'Typed text [default on a terminal]'
complete -c rcli -n "__fish_rcli_needs_command" -l show-pushes -d 'Write out-of-band pushes as {"push":[...]} lines'
complete -c rcli -n "__fish_rcli_needs_command" -s ? -l help -d 'Print help'
complete -c rcli -n "__fish_rcli_needs_command" -l version -d 'Print the version'
complete -c rcli -n "__fish_rcli_needs_command" -s x -d 'Read the last argument from standard input'
complete -c rcli -n "__fish_rcli_needs_command" -l quoted-input -d 'Unquote the arguments as lines of input are unquoted'
complete -c rcli -n "__fish_rcli_needs_command" -f -a "pipe" -d 'Run the commands of files or standard input as a pipeline'
complete -c rcli -n "__fish_rcli_needs_command" -f -a "completions" -d 'Print the completions for a shell'
complete -c rcli -n "__fish_rcli_needs_command" -f -a "generate" -d 'Write completions/ and man/ below a directory'
complete -c rcli -n "__fish_rcli_needs_command" -f -a "exec" -d 'Run one command'
complete -c rcli -n "__fish_rcli_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l on-error -d 'After an error reply: go on, or send nothing more and end' -r -f -a "continue\t'Go on with the next command'
stop\t'Send nothing more, read what is in flight, and end'"
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l skip -d 'Skip the first N commands, to resume' -r
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l window -d 'Commands in flight at most [default: chosen for throughput]' -r
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l progress -d 'Show a progress bar on stderr' -r -f -a "auto\t'On a terminal'
always\t'In any case'
never\t'Not at all'"
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -s h -l host -d 'Server host name or address [default: 127.0.0.1]' -r -f -a "(__fish_print_hostnames)"
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -s p -l port -d 'Server port [default: 6379]' -r
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -s s -l socket -d 'Unix socket of the server' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -s u -l url -d 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]' -r -f
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -s n -l db -d 'Database number [default: 0]' -r
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -s a -l pass -d 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]' -r
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l user -d 'ACL user name' -r
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l pass-file -d 'Read the password from the first line of a file' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -s t -l connect-timeout -d 'Limit on connecting, in seconds [default: 5]' -r
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l read-timeout -d 'Limit on the silence while an answer is waited for, in seconds [default: none]' -r
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l cacert -d 'Authorities to trust, PEM [default: the system\'s]' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l cert -d 'Client certificate, PEM' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l key -d 'Key of the client certificate, PEM' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l sni -d 'Host name to ask for, and to check the certificate against' -r
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -s d -d 'Raw: between the elements of a reply [default: newline]' -r
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -s D -d 'Raw: after a reply [default: newline]' -r
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l encoding -d 'JSON: how bulk strings are written [default: utf8]' -r -f -a "utf8\t'Text; what is not UTF-8 as {"base64":"..."}'
base64\t'Every bulk string as {"base64":"..."}'"
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l color -d 'When to use colours [default: auto]' -r -f -a "auto\t'On a terminal'
always\t'In any case'
never\t'Not at all'"
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l atomic -d 'Run the whole input as one MULTI/EXEC'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -s q -l quiet -d 'Write no replies; errors still go to stderr'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l envelope -d 'Write {"index","line","command","reply"} lines of JSON'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l check -d 'Parse all the input, run nothing, connect to nothing'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l summary -d 'End with a line on stderr: commands, replies, errors, seconds, rate'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l askpass -d 'Ask for the password on the terminal'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l no-auth-warning -d 'No warning about -a'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -s 2 -d 'Speak RESP2'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -s 3 -d 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l tls -d 'Connect with TLS'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l insecure -d 'Check neither certificate nor host name'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l sandbox -d 'Run against a throw-away local server'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l json -d 'One line of JSON a reply [env: RCLI_FORMAT=json]'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l raw -d 'Bytes as they are, one element a line [default when stdout is not a terminal]'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l human -d 'Typed text [default on a terminal]'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l show-pushes -d 'Write out-of-band pushes as {"push":[...]} lines'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -s ? -l help -d 'Print help'
complete -c rcli -n "__fish_rcli_using_subcommand pipe" -l version -d 'Print the version'
complete -c rcli -n "__fish_rcli_using_subcommand completions" -s h -l host -d 'Server host name or address [default: 127.0.0.1]' -r -f -a "(__fish_print_hostnames)"
complete -c rcli -n "__fish_rcli_using_subcommand completions" -s p -l port -d 'Server port [default: 6379]' -r
complete -c rcli -n "__fish_rcli_using_subcommand completions" -s s -l socket -d 'Unix socket of the server' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand completions" -s u -l url -d 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]' -r -f
complete -c rcli -n "__fish_rcli_using_subcommand completions" -s n -l db -d 'Database number [default: 0]' -r
complete -c rcli -n "__fish_rcli_using_subcommand completions" -s a -l pass -d 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]' -r
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l user -d 'ACL user name' -r
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l pass-file -d 'Read the password from the first line of a file' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand completions" -s t -l connect-timeout -d 'Limit on connecting, in seconds [default: 5]' -r
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l read-timeout -d 'Limit on the silence while an answer is waited for, in seconds [default: none]' -r
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l cacert -d 'Authorities to trust, PEM [default: the system\'s]' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l cert -d 'Client certificate, PEM' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l key -d 'Key of the client certificate, PEM' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l sni -d 'Host name to ask for, and to check the certificate against' -r
complete -c rcli -n "__fish_rcli_using_subcommand completions" -s d -d 'Raw: between the elements of a reply [default: newline]' -r
complete -c rcli -n "__fish_rcli_using_subcommand completions" -s D -d 'Raw: after a reply [default: newline]' -r
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l encoding -d 'JSON: how bulk strings are written [default: utf8]' -r -f -a "utf8\t'Text; what is not UTF-8 as {"base64":"..."}'
base64\t'Every bulk string as {"base64":"..."}'"
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l color -d 'When to use colours [default: auto]' -r -f -a "auto\t'On a terminal'
always\t'In any case'
never\t'Not at all'"
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l askpass -d 'Ask for the password on the terminal'
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l no-auth-warning -d 'No warning about -a'
complete -c rcli -n "__fish_rcli_using_subcommand completions" -s 2 -d 'Speak RESP2'
complete -c rcli -n "__fish_rcli_using_subcommand completions" -s 3 -d 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l tls -d 'Connect with TLS'
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l insecure -d 'Check neither certificate nor host name'
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l sandbox -d 'Run against a throw-away local server'
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l json -d 'One line of JSON a reply [env: RCLI_FORMAT=json]'
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l raw -d 'Bytes as they are, one element a line [default when stdout is not a terminal]'
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l human -d 'Typed text [default on a terminal]'
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l show-pushes -d 'Write out-of-band pushes as {"push":[...]} lines'
complete -c rcli -n "__fish_rcli_using_subcommand completions" -s ? -l help -d 'Print help'
complete -c rcli -n "__fish_rcli_using_subcommand completions" -l version -d 'Print the version'
complete -c rcli -n "__fish_rcli_using_subcommand generate" -s h -l host -d 'Server host name or address [default: 127.0.0.1]' -r -f -a "(__fish_print_hostnames)"
complete -c rcli -n "__fish_rcli_using_subcommand generate" -s p -l port -d 'Server port [default: 6379]' -r
complete -c rcli -n "__fish_rcli_using_subcommand generate" -s s -l socket -d 'Unix socket of the server' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand generate" -s u -l url -d 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]' -r -f
complete -c rcli -n "__fish_rcli_using_subcommand generate" -s n -l db -d 'Database number [default: 0]' -r
complete -c rcli -n "__fish_rcli_using_subcommand generate" -s a -l pass -d 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]' -r
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l user -d 'ACL user name' -r
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l pass-file -d 'Read the password from the first line of a file' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand generate" -s t -l connect-timeout -d 'Limit on connecting, in seconds [default: 5]' -r
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l read-timeout -d 'Limit on the silence while an answer is waited for, in seconds [default: none]' -r
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l cacert -d 'Authorities to trust, PEM [default: the system\'s]' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l cert -d 'Client certificate, PEM' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l key -d 'Key of the client certificate, PEM' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l sni -d 'Host name to ask for, and to check the certificate against' -r
complete -c rcli -n "__fish_rcli_using_subcommand generate" -s d -d 'Raw: between the elements of a reply [default: newline]' -r
complete -c rcli -n "__fish_rcli_using_subcommand generate" -s D -d 'Raw: after a reply [default: newline]' -r
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l encoding -d 'JSON: how bulk strings are written [default: utf8]' -r -f -a "utf8\t'Text; what is not UTF-8 as {"base64":"..."}'
base64\t'Every bulk string as {"base64":"..."}'"
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l color -d 'When to use colours [default: auto]' -r -f -a "auto\t'On a terminal'
always\t'In any case'
never\t'Not at all'"
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l askpass -d 'Ask for the password on the terminal'
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l no-auth-warning -d 'No warning about -a'
complete -c rcli -n "__fish_rcli_using_subcommand generate" -s 2 -d 'Speak RESP2'
complete -c rcli -n "__fish_rcli_using_subcommand generate" -s 3 -d 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l tls -d 'Connect with TLS'
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l insecure -d 'Check neither certificate nor host name'
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l sandbox -d 'Run against a throw-away local server'
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l json -d 'One line of JSON a reply [env: RCLI_FORMAT=json]'
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l raw -d 'Bytes as they are, one element a line [default when stdout is not a terminal]'
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l human -d 'Typed text [default on a terminal]'
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l show-pushes -d 'Write out-of-band pushes as {"push":[...]} lines'
complete -c rcli -n "__fish_rcli_using_subcommand generate" -s ? -l help -d 'Print help'
complete -c rcli -n "__fish_rcli_using_subcommand generate" -l version -d 'Print the version'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s X -d 'Read the argument that is TAG from standard input' -r
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s r -d 'Run the command N times; -1: for ever' -r
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s i -d 'Pause between the runs of -r, in seconds' -r
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s h -l host -d 'Server host name or address [default: 127.0.0.1]' -r -f -a "(__fish_print_hostnames)"
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s p -l port -d 'Server port [default: 6379]' -r
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s s -l socket -d 'Unix socket of the server' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s u -l url -d 'Server URL: redis, rediss, valkey, valkeys or unix, as in redis://user:pass@host:port/db [env: RCLI_URL, REDIS_URL]' -r -f
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s n -l db -d 'Database number [default: 0]' -r
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s a -l pass -d 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]' -r
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l user -d 'ACL user name' -r
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l pass-file -d 'Read the password from the first line of a file' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s t -l connect-timeout -d 'Limit on connecting, in seconds [default: 5]' -r
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l read-timeout -d 'Limit on the silence while an answer is waited for, in seconds [default: none]' -r
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l cacert -d 'Authorities to trust, PEM [default: the system\'s]' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l cert -d 'Client certificate, PEM' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l key -d 'Key of the client certificate, PEM' -r -F
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l sni -d 'Host name to ask for, and to check the certificate against' -r
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s d -d 'Raw: between the elements of a reply [default: newline]' -r
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s D -d 'Raw: after a reply [default: newline]' -r
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l encoding -d 'JSON: how bulk strings are written [default: utf8]' -r -f -a "utf8\t'Text; what is not UTF-8 as {"base64":"..."}'
base64\t'Every bulk string as {"base64":"..."}'"
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l color -d 'When to use colours [default: auto]' -r -f -a "auto\t'On a terminal'
always\t'In any case'
never\t'Not at all'"
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s x -d 'Read the last argument from standard input'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l quoted-input -d 'Unquote the arguments as lines of input are unquoted'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l askpass -d 'Ask for the password on the terminal'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l no-auth-warning -d 'No warning about -a'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s 2 -d 'Speak RESP2'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s 3 -d 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l tls -d 'Connect with TLS'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l insecure -d 'Check neither certificate nor host name'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l sandbox -d 'Run against a throw-away local server'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l json -d 'One line of JSON a reply [env: RCLI_FORMAT=json]'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l raw -d 'Bytes as they are, one element a line [default when stdout is not a terminal]'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l human -d 'Typed text [default on a terminal]'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l show-pushes -d 'Write out-of-band pushes as {"push":[...]} lines'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -s ? -l help -d 'Print help'
complete -c rcli -n "__fish_rcli_using_subcommand exec" -l version -d 'Print the version'
complete -c rcli -n "__fish_rcli_using_subcommand help; and not __fish_seen_subcommand_from pipe completions generate exec help" -f -a "pipe" -d 'Run the commands of files or standard input as a pipeline'
complete -c rcli -n "__fish_rcli_using_subcommand help; and not __fish_seen_subcommand_from pipe completions generate exec help" -f -a "completions" -d 'Print the completions for a shell'
complete -c rcli -n "__fish_rcli_using_subcommand help; and not __fish_seen_subcommand_from pipe completions generate exec help" -f -a "generate" -d 'Write completions/ and man/ below a directory'
complete -c rcli -n "__fish_rcli_using_subcommand help; and not __fish_seen_subcommand_from pipe completions generate exec help" -f -a "exec" -d 'Run one command'
complete -c rcli -n "__fish_rcli_using_subcommand help; and not __fish_seen_subcommand_from pipe completions generate exec help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
