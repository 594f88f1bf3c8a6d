
use builtin;
use str;

set edit:completion:arg-completer[rcli] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'rcli'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'rcli'= {
            cand -h 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand --host 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand -p 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand --port 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand -s 'Unix socket of the server'
            cand --socket 'Unix socket of the server'
            cand -u 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --url 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --sentinel 'Sentinels to ask where the primary is, at every connect'
            cand --master 'Name that the sentinels know the primary by'
            cand --sentinel-user 'ACL user name for the sentinels'
            cand --sentinel-pass 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]'
            cand -n 'Database number [default: 0]'
            cand --db 'Database number [default: 0]'
            cand -a 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --pass 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --user 'ACL user name [env: VALKEYCLI_USER]'
            cand --pass-file 'Read the password from the first line of a file'
            cand --password_command 'Take the password from the first line that a shell command writes: a profile''s `password_command`'
            cand -t 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --connect-timeout 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --read-timeout 'Limit on the silence while an answer is waited for, in seconds [default: none]'
            cand --cacert 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]'
            cand --cacertdir 'The same: every PEM file of a directory'
            cand --cert 'Client certificate, PEM'
            cand --key 'Key of the client certificate, PEM'
            cand --sni 'Host name to ask for, and to check the certificate against'
            cand --verify 'What of the server''s certificate is checked [default: full]'
            cand --sandbox 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom'
            cand -d 'Raw: between the elements of a reply [default: newline]'
            cand -D 'Raw: after a reply [default: newline]'
            cand --encoding 'JSON: how bulk strings are written [default: utf8]'
            cand --color 'When to use colours [default: auto]'
            cand --profile 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]'
            cand -X 'Read the argument that is TAG from standard input'
            cand -r 'Run the command N times; -1: for ever'
            cand -i 'Pause between the runs of -r, in seconds'
            cand --askpass 'Ask for the password on the terminal'
            cand --no-auth-warning 'No warning about a password that -a or -u gives'
            cand -2 'Speak RESP2'
            cand -3 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
            cand --tls 'Connect with TLS; the TLS options below imply it'
            cand --insecure 'The same as --verify none'
            cand -c 'The server is a node of a cluster: go to the node that owns a key'
            cand --cluster 'The server is a node of a cluster: go to the node that owns a key'
            cand --read-from-replicas 'With -c: send reads to replicas, whose data may be a moment old'
            cand --all-nodes 'With -c: run one command without keys on every primary'
            cand --json 'One line of JSON a reply [env: RCLI_FORMAT=json]'
            cand --raw 'Bytes as they are, one element a line [default when stdout is not a terminal]'
            cand --human 'Typed text [default on a terminal]'
            cand --show-pushes 'Write out-of-band pushes as {"push":[...]} lines, when they come'
            cand -? 'Print help'
            cand --help 'Print help'
            cand -v 'Print the version'
            cand --version 'Print the version'
            cand --yes 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking'
            cand -x 'Read the last argument from standard input'
            cand --quoted-input 'Unquote the arguments as lines of input are unquoted'
            cand pipe 'Run the commands of files or standard input as a pipeline'
            cand sub 'Subscribe to channels and write each message as it arrives'
            cand psub 'Subscribe to patterns of channels and write each message as it arrives'
            cand ssub 'Subscribe to shard channels and write each message as it arrives'
            cand monitor 'Write every command that the server runs'
            cand txn 'Run commands as one MULTI/EXEC block, guarded by WATCH'
            cand profiles 'List the profiles, without their passwords'
            cand completions 'Print the completions for a shell'
            cand generate 'Write completions/ and man/, and with --table src/command/table/commands.json, below a directory'
            cand exec 'Run one command'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rcli;pipe'= {
            cand --on-error 'After an error reply: go on, or send nothing more and end'
            cand --skip 'Skip the first N commands, to resume; those that set the connection''s state are sent again'
            cand --not-run 'With --skip: the EXECs that ran nothing, by their numbers, as the line says that tells how to resume'
            cand --window 'Commands in flight at most [default: chosen for throughput]'
            cand --progress 'Show a progress bar on stderr'
            cand -h 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand --host 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand -p 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand --port 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand -s 'Unix socket of the server'
            cand --socket 'Unix socket of the server'
            cand -u 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --url 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --sentinel 'Sentinels to ask where the primary is, at every connect'
            cand --master 'Name that the sentinels know the primary by'
            cand --sentinel-user 'ACL user name for the sentinels'
            cand --sentinel-pass 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]'
            cand -n 'Database number [default: 0]'
            cand --db 'Database number [default: 0]'
            cand -a 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --pass 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --user 'ACL user name [env: VALKEYCLI_USER]'
            cand --pass-file 'Read the password from the first line of a file'
            cand --password_command 'Take the password from the first line that a shell command writes: a profile''s `password_command`'
            cand -t 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --connect-timeout 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --read-timeout 'Limit on the silence while an answer is waited for, in seconds [default: none]'
            cand --cacert 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]'
            cand --cacertdir 'The same: every PEM file of a directory'
            cand --cert 'Client certificate, PEM'
            cand --key 'Key of the client certificate, PEM'
            cand --sni 'Host name to ask for, and to check the certificate against'
            cand --verify 'What of the server''s certificate is checked [default: full]'
            cand --sandbox 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom'
            cand -d 'Raw: between the elements of a reply [default: newline]'
            cand -D 'Raw: after a reply [default: newline]'
            cand --encoding 'JSON: how bulk strings are written [default: utf8]'
            cand --color 'When to use colours [default: auto]'
            cand --profile 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]'
            cand --atomic 'Run the whole input as one MULTI/EXEC'
            cand -q 'Write no replies; errors still go to stderr'
            cand --quiet 'Write no replies; errors still go to stderr'
            cand --envelope 'Write {"index","line","command","reply"} lines of JSON'
            cand --check 'Parse all the input, run nothing, connect to nothing'
            cand --summary 'End with a line on stderr: commands, replies, errors, seconds, rate'
            cand --askpass 'Ask for the password on the terminal'
            cand --no-auth-warning 'No warning about a password that -a or -u gives'
            cand -2 'Speak RESP2'
            cand -3 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
            cand --tls 'Connect with TLS; the TLS options below imply it'
            cand --insecure 'The same as --verify none'
            cand -c 'The server is a node of a cluster: go to the node that owns a key'
            cand --cluster 'The server is a node of a cluster: go to the node that owns a key'
            cand --read-from-replicas 'With -c: send reads to replicas, whose data may be a moment old'
            cand --all-nodes 'With -c: run one command without keys on every primary'
            cand --json 'One line of JSON a reply [env: RCLI_FORMAT=json]'
            cand --raw 'Bytes as they are, one element a line [default when stdout is not a terminal]'
            cand --human 'Typed text [default on a terminal]'
            cand --show-pushes 'Write out-of-band pushes as {"push":[...]} lines, when they come'
            cand -? 'Print help'
            cand --help 'Print help'
            cand -v 'Print the version'
            cand --version 'Print the version'
            cand --yes 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking'
        }
        &'rcli;sub'= {
            cand --pattern 'A pattern to subscribe to as well; may be repeated'
            cand --handler 'Run a shell command for each message of a channel or pattern, its JSON line on stdin; it inherits the environment, REDISCLI_AUTH and RCLI_URL included; may be repeated'
            cand --handler-jobs 'Handlers that run at once'
            cand --on-handler-error 'After a handler that failed: say so and go on, or end with status 1'
            cand --count 'End after N messages'
            cand --timeout 'End after SECS seconds in all; status 5 if --count was not reached'
            cand --idle 'End after SECS seconds without a message; status 5 if --count was not reached'
            cand --max-retries 'How often in a row to try a new connection [default: for ever]'
            cand -h 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand --host 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand -p 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand --port 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand -s 'Unix socket of the server'
            cand --socket 'Unix socket of the server'
            cand -u 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --url 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --sentinel 'Sentinels to ask where the primary is, at every connect'
            cand --master 'Name that the sentinels know the primary by'
            cand --sentinel-user 'ACL user name for the sentinels'
            cand --sentinel-pass 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]'
            cand -n 'Database number [default: 0]'
            cand --db 'Database number [default: 0]'
            cand -a 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --pass 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --user 'ACL user name [env: VALKEYCLI_USER]'
            cand --pass-file 'Read the password from the first line of a file'
            cand --password_command 'Take the password from the first line that a shell command writes: a profile''s `password_command`'
            cand -t 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --connect-timeout 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --read-timeout 'Limit on the silence while an answer is waited for, in seconds [default: none]'
            cand --cacert 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]'
            cand --cacertdir 'The same: every PEM file of a directory'
            cand --cert 'Client certificate, PEM'
            cand --key 'Key of the client certificate, PEM'
            cand --sni 'Host name to ask for, and to check the certificate against'
            cand --verify 'What of the server''s certificate is checked [default: full]'
            cand --sandbox 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom'
            cand -d 'Raw: between the elements of a reply [default: newline]'
            cand -D 'Raw: after a reply [default: newline]'
            cand --encoding 'JSON: how bulk strings are written [default: utf8]'
            cand --color 'When to use colours [default: auto]'
            cand --profile 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]'
            cand -m 'Write no confirmations of subscriptions'
            cand --ignore-subscribe-messages 'Write no confirmations of subscriptions'
            cand --time 'Add "time": seconds since 1970, with microseconds'
            cand --data-json 'Nest data that is valid JSON as JSON'
            cand --no-reconnect 'End with status 3 when the connection is lost'
            cand --events 'Write {"type":"disconnected",...} and {"type":"reconnected","gap":...} lines among the messages'
            cand --askpass 'Ask for the password on the terminal'
            cand --no-auth-warning 'No warning about a password that -a or -u gives'
            cand -2 'Speak RESP2'
            cand -3 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
            cand --tls 'Connect with TLS; the TLS options below imply it'
            cand --insecure 'The same as --verify none'
            cand -c 'The server is a node of a cluster: go to the node that owns a key'
            cand --cluster 'The server is a node of a cluster: go to the node that owns a key'
            cand --read-from-replicas 'With -c: send reads to replicas, whose data may be a moment old'
            cand --all-nodes 'With -c: run one command without keys on every primary'
            cand --json 'One line of JSON a reply [env: RCLI_FORMAT=json]'
            cand --raw 'Bytes as they are, one element a line [default when stdout is not a terminal]'
            cand --human 'Typed text [default on a terminal]'
            cand --show-pushes 'Write out-of-band pushes as {"push":[...]} lines, when they come'
            cand -? 'Print help'
            cand --help 'Print help'
            cand -v 'Print the version'
            cand --version 'Print the version'
            cand --yes 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking'
        }
        &'rcli;psub'= {
            cand --channel 'A channel to subscribe to as well; may be repeated'
            cand --handler 'Run a shell command for each message of a channel or pattern, its JSON line on stdin; it inherits the environment, REDISCLI_AUTH and RCLI_URL included; may be repeated'
            cand --handler-jobs 'Handlers that run at once'
            cand --on-handler-error 'After a handler that failed: say so and go on, or end with status 1'
            cand --count 'End after N messages'
            cand --timeout 'End after SECS seconds in all; status 5 if --count was not reached'
            cand --idle 'End after SECS seconds without a message; status 5 if --count was not reached'
            cand --max-retries 'How often in a row to try a new connection [default: for ever]'
            cand -h 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand --host 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand -p 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand --port 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand -s 'Unix socket of the server'
            cand --socket 'Unix socket of the server'
            cand -u 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --url 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --sentinel 'Sentinels to ask where the primary is, at every connect'
            cand --master 'Name that the sentinels know the primary by'
            cand --sentinel-user 'ACL user name for the sentinels'
            cand --sentinel-pass 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]'
            cand -n 'Database number [default: 0]'
            cand --db 'Database number [default: 0]'
            cand -a 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --pass 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --user 'ACL user name [env: VALKEYCLI_USER]'
            cand --pass-file 'Read the password from the first line of a file'
            cand --password_command 'Take the password from the first line that a shell command writes: a profile''s `password_command`'
            cand -t 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --connect-timeout 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --read-timeout 'Limit on the silence while an answer is waited for, in seconds [default: none]'
            cand --cacert 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]'
            cand --cacertdir 'The same: every PEM file of a directory'
            cand --cert 'Client certificate, PEM'
            cand --key 'Key of the client certificate, PEM'
            cand --sni 'Host name to ask for, and to check the certificate against'
            cand --verify 'What of the server''s certificate is checked [default: full]'
            cand --sandbox 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom'
            cand -d 'Raw: between the elements of a reply [default: newline]'
            cand -D 'Raw: after a reply [default: newline]'
            cand --encoding 'JSON: how bulk strings are written [default: utf8]'
            cand --color 'When to use colours [default: auto]'
            cand --profile 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]'
            cand -m 'Write no confirmations of subscriptions'
            cand --ignore-subscribe-messages 'Write no confirmations of subscriptions'
            cand --time 'Add "time": seconds since 1970, with microseconds'
            cand --data-json 'Nest data that is valid JSON as JSON'
            cand --no-reconnect 'End with status 3 when the connection is lost'
            cand --events 'Write {"type":"disconnected",...} and {"type":"reconnected","gap":...} lines among the messages'
            cand --askpass 'Ask for the password on the terminal'
            cand --no-auth-warning 'No warning about a password that -a or -u gives'
            cand -2 'Speak RESP2'
            cand -3 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
            cand --tls 'Connect with TLS; the TLS options below imply it'
            cand --insecure 'The same as --verify none'
            cand -c 'The server is a node of a cluster: go to the node that owns a key'
            cand --cluster 'The server is a node of a cluster: go to the node that owns a key'
            cand --read-from-replicas 'With -c: send reads to replicas, whose data may be a moment old'
            cand --all-nodes 'With -c: run one command without keys on every primary'
            cand --json 'One line of JSON a reply [env: RCLI_FORMAT=json]'
            cand --raw 'Bytes as they are, one element a line [default when stdout is not a terminal]'
            cand --human 'Typed text [default on a terminal]'
            cand --show-pushes 'Write out-of-band pushes as {"push":[...]} lines, when they come'
            cand -? 'Print help'
            cand --help 'Print help'
            cand -v 'Print the version'
            cand --version 'Print the version'
            cand --yes 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking'
        }
        &'rcli;ssub'= {
            cand --node 'With -c: listen to this node only; channels that it does not own are named and passed over'
            cand --handler 'Run a shell command for each message of a channel or pattern, its JSON line on stdin; it inherits the environment, REDISCLI_AUTH and RCLI_URL included; may be repeated'
            cand --handler-jobs 'Handlers that run at once'
            cand --on-handler-error 'After a handler that failed: say so and go on, or end with status 1'
            cand --count 'End after N messages'
            cand --timeout 'End after SECS seconds in all; status 5 if --count was not reached'
            cand --idle 'End after SECS seconds without a message; status 5 if --count was not reached'
            cand --max-retries 'How often in a row to try a new connection [default: for ever]'
            cand -h 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand --host 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand -p 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand --port 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand -s 'Unix socket of the server'
            cand --socket 'Unix socket of the server'
            cand -u 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --url 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --sentinel 'Sentinels to ask where the primary is, at every connect'
            cand --master 'Name that the sentinels know the primary by'
            cand --sentinel-user 'ACL user name for the sentinels'
            cand --sentinel-pass 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]'
            cand -n 'Database number [default: 0]'
            cand --db 'Database number [default: 0]'
            cand -a 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --pass 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --user 'ACL user name [env: VALKEYCLI_USER]'
            cand --pass-file 'Read the password from the first line of a file'
            cand --password_command 'Take the password from the first line that a shell command writes: a profile''s `password_command`'
            cand -t 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --connect-timeout 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --read-timeout 'Limit on the silence while an answer is waited for, in seconds [default: none]'
            cand --cacert 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]'
            cand --cacertdir 'The same: every PEM file of a directory'
            cand --cert 'Client certificate, PEM'
            cand --key 'Key of the client certificate, PEM'
            cand --sni 'Host name to ask for, and to check the certificate against'
            cand --verify 'What of the server''s certificate is checked [default: full]'
            cand --sandbox 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom'
            cand -d 'Raw: between the elements of a reply [default: newline]'
            cand -D 'Raw: after a reply [default: newline]'
            cand --encoding 'JSON: how bulk strings are written [default: utf8]'
            cand --color 'When to use colours [default: auto]'
            cand --profile 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]'
            cand -m 'Write no confirmations of subscriptions'
            cand --ignore-subscribe-messages 'Write no confirmations of subscriptions'
            cand --time 'Add "time": seconds since 1970, with microseconds'
            cand --data-json 'Nest data that is valid JSON as JSON'
            cand --no-reconnect 'End with status 3 when the connection is lost'
            cand --events 'Write {"type":"disconnected",...} and {"type":"reconnected","gap":...} lines among the messages'
            cand --askpass 'Ask for the password on the terminal'
            cand --no-auth-warning 'No warning about a password that -a or -u gives'
            cand -2 'Speak RESP2'
            cand -3 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
            cand --tls 'Connect with TLS; the TLS options below imply it'
            cand --insecure 'The same as --verify none'
            cand -c 'The server is a node of a cluster: go to the node that owns a key'
            cand --cluster 'The server is a node of a cluster: go to the node that owns a key'
            cand --read-from-replicas 'With -c: send reads to replicas, whose data may be a moment old'
            cand --all-nodes 'With -c: run one command without keys on every primary'
            cand --json 'One line of JSON a reply [env: RCLI_FORMAT=json]'
            cand --raw 'Bytes as they are, one element a line [default when stdout is not a terminal]'
            cand --human 'Typed text [default on a terminal]'
            cand --show-pushes 'Write out-of-band pushes as {"push":[...]} lines, when they come'
            cand -? 'Print help'
            cand --help 'Print help'
            cand -v 'Print the version'
            cand --version 'Print the version'
            cand --yes 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking'
        }
        &'rcli;monitor'= {
            cand --only 'Only these commands, in any case'
            cand --client 'Only this client: an address, an address and port, unix, unix:PATH or lua'
            cand --in-db 'Only this database'
            cand --node 'With -c: listen to this node only'
            cand --count 'End after N messages'
            cand --timeout 'End after SECS seconds in all; status 5 if --count was not reached'
            cand --idle 'End after SECS seconds without a message; status 5 if --count was not reached'
            cand --max-retries 'How often in a row to try a new connection [default: for ever]'
            cand -h 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand --host 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand -p 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand --port 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand -s 'Unix socket of the server'
            cand --socket 'Unix socket of the server'
            cand -u 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --url 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --sentinel 'Sentinels to ask where the primary is, at every connect'
            cand --master 'Name that the sentinels know the primary by'
            cand --sentinel-user 'ACL user name for the sentinels'
            cand --sentinel-pass 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]'
            cand -n 'Database number [default: 0]'
            cand --db 'Database number [default: 0]'
            cand -a 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --pass 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --user 'ACL user name [env: VALKEYCLI_USER]'
            cand --pass-file 'Read the password from the first line of a file'
            cand --password_command 'Take the password from the first line that a shell command writes: a profile''s `password_command`'
            cand -t 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --connect-timeout 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --read-timeout 'Limit on the silence while an answer is waited for, in seconds [default: none]'
            cand --cacert 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]'
            cand --cacertdir 'The same: every PEM file of a directory'
            cand --cert 'Client certificate, PEM'
            cand --key 'Key of the client certificate, PEM'
            cand --sni 'Host name to ask for, and to check the certificate against'
            cand --verify 'What of the server''s certificate is checked [default: full]'
            cand --sandbox 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom'
            cand -d 'Raw: between the elements of a reply [default: newline]'
            cand -D 'Raw: after a reply [default: newline]'
            cand --encoding 'JSON: how bulk strings are written [default: utf8]'
            cand --color 'When to use colours [default: auto]'
            cand --profile 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]'
            cand --no-reconnect 'End with status 3 when the connection is lost'
            cand --events 'Write {"type":"disconnected",...} and {"type":"reconnected","gap":...} lines among the messages'
            cand --askpass 'Ask for the password on the terminal'
            cand --no-auth-warning 'No warning about a password that -a or -u gives'
            cand -2 'Speak RESP2'
            cand -3 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
            cand --tls 'Connect with TLS; the TLS options below imply it'
            cand --insecure 'The same as --verify none'
            cand -c 'The server is a node of a cluster: go to the node that owns a key'
            cand --cluster 'The server is a node of a cluster: go to the node that owns a key'
            cand --read-from-replicas 'With -c: send reads to replicas, whose data may be a moment old'
            cand --all-nodes 'With -c: run one command without keys on every primary'
            cand --json 'One line of JSON a reply [env: RCLI_FORMAT=json]'
            cand --raw 'Bytes as they are, one element a line [default when stdout is not a terminal]'
            cand --human 'Typed text [default on a terminal]'
            cand --show-pushes 'Write out-of-band pushes as {"push":[...]} lines, when they come'
            cand -? 'Print help'
            cand --help 'Print help'
            cand -v 'Print the version'
            cand --version 'Print the version'
            cand --yes 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking'
        }
        &'rcli;txn'= {
            cand --watch 'Watch a key: if it changes before EXEC, nothing is run (repeatable)'
            cand --retries 'How often to try again after that [default: 10 with PROGRAM, 0 without]'
            cand --watch-delay 'First pause between tries, in seconds, or as long as a try takes; doubled each time, with jitter [default: 0.01]'
            cand -h 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand --host 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand -p 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand --port 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand -s 'Unix socket of the server'
            cand --socket 'Unix socket of the server'
            cand -u 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --url 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --sentinel 'Sentinels to ask where the primary is, at every connect'
            cand --master 'Name that the sentinels know the primary by'
            cand --sentinel-user 'ACL user name for the sentinels'
            cand --sentinel-pass 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]'
            cand -n 'Database number [default: 0]'
            cand --db 'Database number [default: 0]'
            cand -a 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --pass 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --user 'ACL user name [env: VALKEYCLI_USER]'
            cand --pass-file 'Read the password from the first line of a file'
            cand --password_command 'Take the password from the first line that a shell command writes: a profile''s `password_command`'
            cand -t 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --connect-timeout 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --read-timeout 'Limit on the silence while an answer is waited for, in seconds [default: none]'
            cand --cacert 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]'
            cand --cacertdir 'The same: every PEM file of a directory'
            cand --cert 'Client certificate, PEM'
            cand --key 'Key of the client certificate, PEM'
            cand --sni 'Host name to ask for, and to check the certificate against'
            cand --verify 'What of the server''s certificate is checked [default: full]'
            cand --sandbox 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom'
            cand -d 'Raw: between the elements of a reply [default: newline]'
            cand -D 'Raw: after a reply [default: newline]'
            cand --encoding 'JSON: how bulk strings are written [default: utf8]'
            cand --color 'When to use colours [default: auto]'
            cand --profile 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]'
            cand --askpass 'Ask for the password on the terminal'
            cand --no-auth-warning 'No warning about a password that -a or -u gives'
            cand -2 'Speak RESP2'
            cand -3 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
            cand --tls 'Connect with TLS; the TLS options below imply it'
            cand --insecure 'The same as --verify none'
            cand -c 'The server is a node of a cluster: go to the node that owns a key'
            cand --cluster 'The server is a node of a cluster: go to the node that owns a key'
            cand --read-from-replicas 'With -c: send reads to replicas, whose data may be a moment old'
            cand --all-nodes 'With -c: run one command without keys on every primary'
            cand --json 'One line of JSON a reply [env: RCLI_FORMAT=json]'
            cand --raw 'Bytes as they are, one element a line [default when stdout is not a terminal]'
            cand --human 'Typed text [default on a terminal]'
            cand --show-pushes 'Write out-of-band pushes as {"push":[...]} lines, when they come'
            cand -? 'Print help'
            cand --help 'Print help'
            cand -v 'Print the version'
            cand --version 'Print the version'
            cand --yes 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking'
        }
        &'rcli;profiles'= {
            cand -h 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand --host 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand -p 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand --port 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand -s 'Unix socket of the server'
            cand --socket 'Unix socket of the server'
            cand -u 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --url 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --sentinel 'Sentinels to ask where the primary is, at every connect'
            cand --master 'Name that the sentinels know the primary by'
            cand --sentinel-user 'ACL user name for the sentinels'
            cand --sentinel-pass 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]'
            cand -n 'Database number [default: 0]'
            cand --db 'Database number [default: 0]'
            cand -a 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --pass 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --user 'ACL user name [env: VALKEYCLI_USER]'
            cand --pass-file 'Read the password from the first line of a file'
            cand --password_command 'Take the password from the first line that a shell command writes: a profile''s `password_command`'
            cand -t 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --connect-timeout 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --read-timeout 'Limit on the silence while an answer is waited for, in seconds [default: none]'
            cand --cacert 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]'
            cand --cacertdir 'The same: every PEM file of a directory'
            cand --cert 'Client certificate, PEM'
            cand --key 'Key of the client certificate, PEM'
            cand --sni 'Host name to ask for, and to check the certificate against'
            cand --verify 'What of the server''s certificate is checked [default: full]'
            cand --sandbox 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom'
            cand -d 'Raw: between the elements of a reply [default: newline]'
            cand -D 'Raw: after a reply [default: newline]'
            cand --encoding 'JSON: how bulk strings are written [default: utf8]'
            cand --color 'When to use colours [default: auto]'
            cand --profile 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]'
            cand --askpass 'Ask for the password on the terminal'
            cand --no-auth-warning 'No warning about a password that -a or -u gives'
            cand -2 'Speak RESP2'
            cand -3 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
            cand --tls 'Connect with TLS; the TLS options below imply it'
            cand --insecure 'The same as --verify none'
            cand -c 'The server is a node of a cluster: go to the node that owns a key'
            cand --cluster 'The server is a node of a cluster: go to the node that owns a key'
            cand --read-from-replicas 'With -c: send reads to replicas, whose data may be a moment old'
            cand --all-nodes 'With -c: run one command without keys on every primary'
            cand --json 'One line of JSON a reply [env: RCLI_FORMAT=json]'
            cand --raw 'Bytes as they are, one element a line [default when stdout is not a terminal]'
            cand --human 'Typed text [default on a terminal]'
            cand --show-pushes 'Write out-of-band pushes as {"push":[...]} lines, when they come'
            cand -? 'Print help'
            cand --help 'Print help'
            cand -v 'Print the version'
            cand --version 'Print the version'
            cand --yes 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking'
        }
        &'rcli;completions'= {
            cand -h 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand --host 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand -p 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand --port 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand -s 'Unix socket of the server'
            cand --socket 'Unix socket of the server'
            cand -u 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --url 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --sentinel 'Sentinels to ask where the primary is, at every connect'
            cand --master 'Name that the sentinels know the primary by'
            cand --sentinel-user 'ACL user name for the sentinels'
            cand --sentinel-pass 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]'
            cand -n 'Database number [default: 0]'
            cand --db 'Database number [default: 0]'
            cand -a 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --pass 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --user 'ACL user name [env: VALKEYCLI_USER]'
            cand --pass-file 'Read the password from the first line of a file'
            cand --password_command 'Take the password from the first line that a shell command writes: a profile''s `password_command`'
            cand -t 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --connect-timeout 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --read-timeout 'Limit on the silence while an answer is waited for, in seconds [default: none]'
            cand --cacert 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]'
            cand --cacertdir 'The same: every PEM file of a directory'
            cand --cert 'Client certificate, PEM'
            cand --key 'Key of the client certificate, PEM'
            cand --sni 'Host name to ask for, and to check the certificate against'
            cand --verify 'What of the server''s certificate is checked [default: full]'
            cand --sandbox 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom'
            cand -d 'Raw: between the elements of a reply [default: newline]'
            cand -D 'Raw: after a reply [default: newline]'
            cand --encoding 'JSON: how bulk strings are written [default: utf8]'
            cand --color 'When to use colours [default: auto]'
            cand --profile 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]'
            cand --askpass 'Ask for the password on the terminal'
            cand --no-auth-warning 'No warning about a password that -a or -u gives'
            cand -2 'Speak RESP2'
            cand -3 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
            cand --tls 'Connect with TLS; the TLS options below imply it'
            cand --insecure 'The same as --verify none'
            cand -c 'The server is a node of a cluster: go to the node that owns a key'
            cand --cluster 'The server is a node of a cluster: go to the node that owns a key'
            cand --read-from-replicas 'With -c: send reads to replicas, whose data may be a moment old'
            cand --all-nodes 'With -c: run one command without keys on every primary'
            cand --json 'One line of JSON a reply [env: RCLI_FORMAT=json]'
            cand --raw 'Bytes as they are, one element a line [default when stdout is not a terminal]'
            cand --human 'Typed text [default on a terminal]'
            cand --show-pushes 'Write out-of-band pushes as {"push":[...]} lines, when they come'
            cand -? 'Print help'
            cand --help 'Print help'
            cand -v 'Print the version'
            cand --version 'Print the version'
            cand --yes 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking'
        }
        &'rcli;generate'= {
            cand --table 'A server to ask for its commands; the first one that has a command describes it'
            cand -h 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand --host 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand -p 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand --port 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand -s 'Unix socket of the server'
            cand --socket 'Unix socket of the server'
            cand -u 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --url 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --sentinel 'Sentinels to ask where the primary is, at every connect'
            cand --master 'Name that the sentinels know the primary by'
            cand --sentinel-user 'ACL user name for the sentinels'
            cand --sentinel-pass 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]'
            cand -n 'Database number [default: 0]'
            cand --db 'Database number [default: 0]'
            cand -a 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --pass 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --user 'ACL user name [env: VALKEYCLI_USER]'
            cand --pass-file 'Read the password from the first line of a file'
            cand --password_command 'Take the password from the first line that a shell command writes: a profile''s `password_command`'
            cand -t 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --connect-timeout 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --read-timeout 'Limit on the silence while an answer is waited for, in seconds [default: none]'
            cand --cacert 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]'
            cand --cacertdir 'The same: every PEM file of a directory'
            cand --cert 'Client certificate, PEM'
            cand --key 'Key of the client certificate, PEM'
            cand --sni 'Host name to ask for, and to check the certificate against'
            cand --verify 'What of the server''s certificate is checked [default: full]'
            cand --sandbox 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom'
            cand -d 'Raw: between the elements of a reply [default: newline]'
            cand -D 'Raw: after a reply [default: newline]'
            cand --encoding 'JSON: how bulk strings are written [default: utf8]'
            cand --color 'When to use colours [default: auto]'
            cand --profile 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]'
            cand --askpass 'Ask for the password on the terminal'
            cand --no-auth-warning 'No warning about a password that -a or -u gives'
            cand -2 'Speak RESP2'
            cand -3 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
            cand --tls 'Connect with TLS; the TLS options below imply it'
            cand --insecure 'The same as --verify none'
            cand -c 'The server is a node of a cluster: go to the node that owns a key'
            cand --cluster 'The server is a node of a cluster: go to the node that owns a key'
            cand --read-from-replicas 'With -c: send reads to replicas, whose data may be a moment old'
            cand --all-nodes 'With -c: run one command without keys on every primary'
            cand --json 'One line of JSON a reply [env: RCLI_FORMAT=json]'
            cand --raw 'Bytes as they are, one element a line [default when stdout is not a terminal]'
            cand --human 'Typed text [default on a terminal]'
            cand --show-pushes 'Write out-of-band pushes as {"push":[...]} lines, when they come'
            cand -? 'Print help'
            cand --help 'Print help'
            cand -v 'Print the version'
            cand --version 'Print the version'
            cand --yes 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking'
        }
        &'rcli;exec'= {
            cand -X 'Read the argument that is TAG from standard input'
            cand -r 'Run the command N times; -1: for ever'
            cand -i 'Pause between the runs of -r, in seconds'
            cand -h 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand --host 'Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]'
            cand -p 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand --port 'Server port [default: 6379] [env: VALKEYCLI_PORT]'
            cand -s 'Unix socket of the server'
            cand --socket 'Unix socket of the server'
            cand -u 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --url 'Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db, or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]'
            cand --sentinel 'Sentinels to ask where the primary is, at every connect'
            cand --master 'Name that the sentinels know the primary by'
            cand --sentinel-user 'ACL user name for the sentinels'
            cand --sentinel-pass 'Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]'
            cand -n 'Database number [default: 0]'
            cand --db 'Database number [default: 0]'
            cand -a 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --pass 'Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]'
            cand --user 'ACL user name [env: VALKEYCLI_USER]'
            cand --pass-file 'Read the password from the first line of a file'
            cand --password_command 'Take the password from the first line that a shell command writes: a profile''s `password_command`'
            cand -t 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --connect-timeout 'Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]'
            cand --read-timeout 'Limit on the silence while an answer is waited for, in seconds [default: none]'
            cand --cacert 'Authorities to trust, or the server''s own certificate, PEM [default: the system''s]'
            cand --cacertdir 'The same: every PEM file of a directory'
            cand --cert 'Client certificate, PEM'
            cand --key 'Key of the client certificate, PEM'
            cand --sni 'Host name to ask for, and to check the certificate against'
            cand --verify 'What of the server''s certificate is checked [default: full]'
            cand --sandbox 'Run against a throw-away local server, or a cluster of three, whatever else says where and as whom'
            cand -d 'Raw: between the elements of a reply [default: newline]'
            cand -D 'Raw: after a reply [default: newline]'
            cand --encoding 'JSON: how bulk strings are written [default: utf8]'
            cand --color 'When to use colours [default: auto]'
            cand --profile 'Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]'
            cand -x 'Read the last argument from standard input'
            cand --quoted-input 'Unquote the arguments as lines of input are unquoted'
            cand --askpass 'Ask for the password on the terminal'
            cand --no-auth-warning 'No warning about a password that -a or -u gives'
            cand -2 'Speak RESP2'
            cand -3 'Speak RESP3, or RESP2 where the server cannot [default, but for raw output]'
            cand --tls 'Connect with TLS; the TLS options below imply it'
            cand --insecure 'The same as --verify none'
            cand -c 'The server is a node of a cluster: go to the node that owns a key'
            cand --cluster 'The server is a node of a cluster: go to the node that owns a key'
            cand --read-from-replicas 'With -c: send reads to replicas, whose data may be a moment old'
            cand --all-nodes 'With -c: run one command without keys on every primary'
            cand --json 'One line of JSON a reply [env: RCLI_FORMAT=json]'
            cand --raw 'Bytes as they are, one element a line [default when stdout is not a terminal]'
            cand --human 'Typed text [default on a terminal]'
            cand --show-pushes 'Write out-of-band pushes as {"push":[...]} lines, when they come'
            cand -? 'Print help'
            cand --help 'Print help'
            cand -v 'Print the version'
            cand --version 'Print the version'
            cand --yes 'Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking'
            cand ACL 'ACL'
            cand APPEND 'APPEND'
            cand ASKING 'ASKING'
            cand AUTH 'AUTH'
            cand BGREWRITEAOF 'BGREWRITEAOF'
            cand BGSAVE 'BGSAVE'
            cand BITCOUNT 'BITCOUNT'
            cand BITFIELD 'BITFIELD'
            cand BITFIELD_RO 'BITFIELD_RO'
            cand BITOP 'BITOP'
            cand BITPOS 'BITPOS'
            cand BLMOVE 'BLMOVE'
            cand BLMPOP 'BLMPOP'
            cand BLPOP 'BLPOP'
            cand BRPOP 'BRPOP'
            cand BRPOPLPUSH 'BRPOPLPUSH'
            cand BZMPOP 'BZMPOP'
            cand BZPOPMAX 'BZPOPMAX'
            cand BZPOPMIN 'BZPOPMIN'
            cand CLIENT 'CLIENT'
            cand CLUSTER 'CLUSTER'
            cand CLUSTERSCAN 'CLUSTERSCAN'
            cand COMMAND 'COMMAND'
            cand COMMANDLOG 'COMMANDLOG'
            cand CONFIG 'CONFIG'
            cand COPY 'COPY'
            cand DBSIZE 'DBSIZE'
            cand DEBUG 'DEBUG'
            cand DECR 'DECR'
            cand DECRBY 'DECRBY'
            cand DEL 'DEL'
            cand DELIFEQ 'DELIFEQ'
            cand DISCARD 'DISCARD'
            cand DUMP 'DUMP'
            cand ECHO 'ECHO'
            cand EVAL 'EVAL'
            cand EVALSHA 'EVALSHA'
            cand EVALSHA_RO 'EVALSHA_RO'
            cand EVAL_RO 'EVAL_RO'
            cand EXEC 'EXEC'
            cand EXISTS 'EXISTS'
            cand EXPIRE 'EXPIRE'
            cand EXPIREAT 'EXPIREAT'
            cand EXPIRETIME 'EXPIRETIME'
            cand FAILOVER 'FAILOVER'
            cand FCALL 'FCALL'
            cand FCALL_RO 'FCALL_RO'
            cand FLUSHALL 'FLUSHALL'
            cand FLUSHDB 'FLUSHDB'
            cand FUNCTION 'FUNCTION'
            cand GEOADD 'GEOADD'
            cand GEODIST 'GEODIST'
            cand GEOHASH 'GEOHASH'
            cand GEOPOS 'GEOPOS'
            cand GEORADIUS 'GEORADIUS'
            cand GEORADIUSBYMEMBER 'GEORADIUSBYMEMBER'
            cand GEORADIUSBYMEMBER_RO 'GEORADIUSBYMEMBER_RO'
            cand GEORADIUS_RO 'GEORADIUS_RO'
            cand GEOSEARCH 'GEOSEARCH'
            cand GEOSEARCHSTORE 'GEOSEARCHSTORE'
            cand GET 'GET'
            cand GETBIT 'GETBIT'
            cand GETDEL 'GETDEL'
            cand GETEX 'GETEX'
            cand GETRANGE 'GETRANGE'
            cand GETSET 'GETSET'
            cand HDEL 'HDEL'
            cand HELLO 'HELLO'
            cand HEXISTS 'HEXISTS'
            cand HEXPIRE 'HEXPIRE'
            cand HEXPIREAT 'HEXPIREAT'
            cand HEXPIRETIME 'HEXPIRETIME'
            cand HGET 'HGET'
            cand HGETALL 'HGETALL'
            cand HGETDEL 'HGETDEL'
            cand HGETEX 'HGETEX'
            cand HINCRBY 'HINCRBY'
            cand HINCRBYFLOAT 'HINCRBYFLOAT'
            cand HKEYS 'HKEYS'
            cand HLEN 'HLEN'
            cand HMGET 'HMGET'
            cand HMSET 'HMSET'
            cand HPERSIST 'HPERSIST'
            cand HPEXPIRE 'HPEXPIRE'
            cand HPEXPIREAT 'HPEXPIREAT'
            cand HPEXPIRETIME 'HPEXPIRETIME'
            cand HPTTL 'HPTTL'
            cand HRANDFIELD 'HRANDFIELD'
            cand HSCAN 'HSCAN'
            cand HSET 'HSET'
            cand HSETEX 'HSETEX'
            cand HSETNX 'HSETNX'
            cand HSTRLEN 'HSTRLEN'
            cand HTTL 'HTTL'
            cand HVALS 'HVALS'
            cand INCR 'INCR'
            cand INCRBY 'INCRBY'
            cand INCRBYFLOAT 'INCRBYFLOAT'
            cand INFO 'INFO'
            cand KEYS 'KEYS'
            cand LASTSAVE 'LASTSAVE'
            cand LATENCY 'LATENCY'
            cand LCS 'LCS'
            cand LINDEX 'LINDEX'
            cand LINSERT 'LINSERT'
            cand LLEN 'LLEN'
            cand LMOVE 'LMOVE'
            cand LMPOP 'LMPOP'
            cand LOLWUT 'LOLWUT'
            cand LPOP 'LPOP'
            cand LPOS 'LPOS'
            cand LPUSH 'LPUSH'
            cand LPUSHX 'LPUSHX'
            cand LRANGE 'LRANGE'
            cand LREM 'LREM'
            cand LSET 'LSET'
            cand LTRIM 'LTRIM'
            cand MEMORY 'MEMORY'
            cand MGET 'MGET'
            cand MIGRATE 'MIGRATE'
            cand MODULE 'MODULE'
            cand MONITOR 'MONITOR'
            cand MOVE 'MOVE'
            cand MSET 'MSET'
            cand MSETEX 'MSETEX'
            cand MSETNX 'MSETNX'
            cand MULTI 'MULTI'
            cand OBJECT 'OBJECT'
            cand PERSIST 'PERSIST'
            cand PEXPIRE 'PEXPIRE'
            cand PEXPIREAT 'PEXPIREAT'
            cand PEXPIRETIME 'PEXPIRETIME'
            cand PFADD 'PFADD'
            cand PFCOUNT 'PFCOUNT'
            cand PFDEBUG 'PFDEBUG'
            cand PFMERGE 'PFMERGE'
            cand PFSELFTEST 'PFSELFTEST'
            cand PING 'PING'
            cand PSETEX 'PSETEX'
            cand PSUBSCRIBE 'PSUBSCRIBE'
            cand PSYNC 'PSYNC'
            cand PTTL 'PTTL'
            cand PUBLISH 'PUBLISH'
            cand PUBSUB 'PUBSUB'
            cand PUNSUBSCRIBE 'PUNSUBSCRIBE'
            cand QUIT 'QUIT'
            cand RANDOMKEY 'RANDOMKEY'
            cand READONLY 'READONLY'
            cand READWRITE 'READWRITE'
            cand RENAME 'RENAME'
            cand RENAMENX 'RENAMENX'
            cand REPLCONF 'REPLCONF'
            cand REPLICAOF 'REPLICAOF'
            cand RESET 'RESET'
            cand RESTORE 'RESTORE'
            cand RESTORE-ASKING 'RESTORE-ASKING'
            cand ROLE 'ROLE'
            cand RPOP 'RPOP'
            cand RPOPLPUSH 'RPOPLPUSH'
            cand RPUSH 'RPUSH'
            cand RPUSHX 'RPUSHX'
            cand SADD 'SADD'
            cand SAVE 'SAVE'
            cand SCAN 'SCAN'
            cand SCARD 'SCARD'
            cand SCRIPT 'SCRIPT'
            cand SDIFF 'SDIFF'
            cand SDIFFSTORE 'SDIFFSTORE'
            cand SELECT 'SELECT'
            cand SET 'SET'
            cand SETBIT 'SETBIT'
            cand SETEX 'SETEX'
            cand SETNX 'SETNX'
            cand SETRANGE 'SETRANGE'
            cand SHUTDOWN 'SHUTDOWN'
            cand SINTER 'SINTER'
            cand SINTERCARD 'SINTERCARD'
            cand SINTERSTORE 'SINTERSTORE'
            cand SISMEMBER 'SISMEMBER'
            cand SLAVEOF 'SLAVEOF'
            cand SLOWLOG 'SLOWLOG'
            cand SMEMBERS 'SMEMBERS'
            cand SMISMEMBER 'SMISMEMBER'
            cand SMOVE 'SMOVE'
            cand SORT 'SORT'
            cand SORT_RO 'SORT_RO'
            cand SPOP 'SPOP'
            cand SPUBLISH 'SPUBLISH'
            cand SRANDMEMBER 'SRANDMEMBER'
            cand SREM 'SREM'
            cand SSCAN 'SSCAN'
            cand SSUBSCRIBE 'SSUBSCRIBE'
            cand STRLEN 'STRLEN'
            cand SUBSCRIBE 'SUBSCRIBE'
            cand SUBSTR 'SUBSTR'
            cand SUNION 'SUNION'
            cand SUNIONSTORE 'SUNIONSTORE'
            cand SUNSUBSCRIBE 'SUNSUBSCRIBE'
            cand SWAPDB 'SWAPDB'
            cand SYNC 'SYNC'
            cand TIME 'TIME'
            cand TOUCH 'TOUCH'
            cand TTL 'TTL'
            cand TYPE 'TYPE'
            cand UNLINK 'UNLINK'
            cand UNSUBSCRIBE 'UNSUBSCRIBE'
            cand UNWATCH 'UNWATCH'
            cand WAIT 'WAIT'
            cand WAITAOF 'WAITAOF'
            cand WATCH 'WATCH'
            cand XACK 'XACK'
            cand XACKDEL 'XACKDEL'
            cand XADD 'XADD'
            cand XAUTOCLAIM 'XAUTOCLAIM'
            cand XCLAIM 'XCLAIM'
            cand XDEL 'XDEL'
            cand XDELEX 'XDELEX'
            cand XGROUP 'XGROUP'
            cand XINFO 'XINFO'
            cand XLEN 'XLEN'
            cand XPENDING 'XPENDING'
            cand XRANGE 'XRANGE'
            cand XREAD 'XREAD'
            cand XREADGROUP 'XREADGROUP'
            cand XREVRANGE 'XREVRANGE'
            cand XSETID 'XSETID'
            cand XTRIM 'XTRIM'
            cand ZADD 'ZADD'
            cand ZCARD 'ZCARD'
            cand ZCOUNT 'ZCOUNT'
            cand ZDIFF 'ZDIFF'
            cand ZDIFFSTORE 'ZDIFFSTORE'
            cand ZINCRBY 'ZINCRBY'
            cand ZINTER 'ZINTER'
            cand ZINTERCARD 'ZINTERCARD'
            cand ZINTERSTORE 'ZINTERSTORE'
            cand ZLEXCOUNT 'ZLEXCOUNT'
            cand ZMPOP 'ZMPOP'
            cand ZMSCORE 'ZMSCORE'
            cand ZPOPMAX 'ZPOPMAX'
            cand ZPOPMIN 'ZPOPMIN'
            cand ZRANDMEMBER 'ZRANDMEMBER'
            cand ZRANGE 'ZRANGE'
            cand ZRANGEBYLEX 'ZRANGEBYLEX'
            cand ZRANGEBYSCORE 'ZRANGEBYSCORE'
            cand ZRANGESTORE 'ZRANGESTORE'
            cand ZRANK 'ZRANK'
            cand ZREM 'ZREM'
            cand ZREMRANGEBYLEX 'ZREMRANGEBYLEX'
            cand ZREMRANGEBYRANK 'ZREMRANGEBYRANK'
            cand ZREMRANGEBYSCORE 'ZREMRANGEBYSCORE'
            cand ZREVRANGE 'ZREVRANGE'
            cand ZREVRANGEBYLEX 'ZREVRANGEBYLEX'
            cand ZREVRANGEBYSCORE 'ZREVRANGEBYSCORE'
            cand ZREVRANK 'ZREVRANK'
            cand ZSCAN 'ZSCAN'
            cand ZSCORE 'ZSCORE'
            cand ZUNION 'ZUNION'
            cand ZUNIONSTORE 'ZUNIONSTORE'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rcli;exec;ACL'= {
        }
        &'rcli;exec;APPEND'= {
        }
        &'rcli;exec;ASKING'= {
        }
        &'rcli;exec;AUTH'= {
        }
        &'rcli;exec;BGREWRITEAOF'= {
        }
        &'rcli;exec;BGSAVE'= {
        }
        &'rcli;exec;BITCOUNT'= {
        }
        &'rcli;exec;BITFIELD'= {
        }
        &'rcli;exec;BITFIELD_RO'= {
        }
        &'rcli;exec;BITOP'= {
        }
        &'rcli;exec;BITPOS'= {
        }
        &'rcli;exec;BLMOVE'= {
        }
        &'rcli;exec;BLMPOP'= {
        }
        &'rcli;exec;BLPOP'= {
        }
        &'rcli;exec;BRPOP'= {
        }
        &'rcli;exec;BRPOPLPUSH'= {
        }
        &'rcli;exec;BZMPOP'= {
        }
        &'rcli;exec;BZPOPMAX'= {
        }
        &'rcli;exec;BZPOPMIN'= {
        }
        &'rcli;exec;CLIENT'= {
        }
        &'rcli;exec;CLUSTER'= {
        }
        &'rcli;exec;CLUSTERSCAN'= {
        }
        &'rcli;exec;COMMAND'= {
        }
        &'rcli;exec;COMMANDLOG'= {
        }
        &'rcli;exec;CONFIG'= {
        }
        &'rcli;exec;COPY'= {
        }
        &'rcli;exec;DBSIZE'= {
        }
        &'rcli;exec;DEBUG'= {
        }
        &'rcli;exec;DECR'= {
        }
        &'rcli;exec;DECRBY'= {
        }
        &'rcli;exec;DEL'= {
        }
        &'rcli;exec;DELIFEQ'= {
        }
        &'rcli;exec;DISCARD'= {
        }
        &'rcli;exec;DUMP'= {
        }
        &'rcli;exec;ECHO'= {
        }
        &'rcli;exec;EVAL'= {
        }
        &'rcli;exec;EVALSHA'= {
        }
        &'rcli;exec;EVALSHA_RO'= {
        }
        &'rcli;exec;EVAL_RO'= {
        }
        &'rcli;exec;EXEC'= {
        }
        &'rcli;exec;EXISTS'= {
        }
        &'rcli;exec;EXPIRE'= {
        }
        &'rcli;exec;EXPIREAT'= {
        }
        &'rcli;exec;EXPIRETIME'= {
        }
        &'rcli;exec;FAILOVER'= {
        }
        &'rcli;exec;FCALL'= {
        }
        &'rcli;exec;FCALL_RO'= {
        }
        &'rcli;exec;FLUSHALL'= {
        }
        &'rcli;exec;FLUSHDB'= {
        }
        &'rcli;exec;FUNCTION'= {
        }
        &'rcli;exec;GEOADD'= {
        }
        &'rcli;exec;GEODIST'= {
        }
        &'rcli;exec;GEOHASH'= {
        }
        &'rcli;exec;GEOPOS'= {
        }
        &'rcli;exec;GEORADIUS'= {
        }
        &'rcli;exec;GEORADIUSBYMEMBER'= {
        }
        &'rcli;exec;GEORADIUSBYMEMBER_RO'= {
        }
        &'rcli;exec;GEORADIUS_RO'= {
        }
        &'rcli;exec;GEOSEARCH'= {
        }
        &'rcli;exec;GEOSEARCHSTORE'= {
        }
        &'rcli;exec;GET'= {
        }
        &'rcli;exec;GETBIT'= {
        }
        &'rcli;exec;GETDEL'= {
        }
        &'rcli;exec;GETEX'= {
        }
        &'rcli;exec;GETRANGE'= {
        }
        &'rcli;exec;GETSET'= {
        }
        &'rcli;exec;HDEL'= {
        }
        &'rcli;exec;HELLO'= {
        }
        &'rcli;exec;HEXISTS'= {
        }
        &'rcli;exec;HEXPIRE'= {
        }
        &'rcli;exec;HEXPIREAT'= {
        }
        &'rcli;exec;HEXPIRETIME'= {
        }
        &'rcli;exec;HGET'= {
        }
        &'rcli;exec;HGETALL'= {
        }
        &'rcli;exec;HGETDEL'= {
        }
        &'rcli;exec;HGETEX'= {
        }
        &'rcli;exec;HINCRBY'= {
        }
        &'rcli;exec;HINCRBYFLOAT'= {
        }
        &'rcli;exec;HKEYS'= {
        }
        &'rcli;exec;HLEN'= {
        }
        &'rcli;exec;HMGET'= {
        }
        &'rcli;exec;HMSET'= {
        }
        &'rcli;exec;HPERSIST'= {
        }
        &'rcli;exec;HPEXPIRE'= {
        }
        &'rcli;exec;HPEXPIREAT'= {
        }
        &'rcli;exec;HPEXPIRETIME'= {
        }
        &'rcli;exec;HPTTL'= {
        }
        &'rcli;exec;HRANDFIELD'= {
        }
        &'rcli;exec;HSCAN'= {
        }
        &'rcli;exec;HSET'= {
        }
        &'rcli;exec;HSETEX'= {
        }
        &'rcli;exec;HSETNX'= {
        }
        &'rcli;exec;HSTRLEN'= {
        }
        &'rcli;exec;HTTL'= {
        }
        &'rcli;exec;HVALS'= {
        }
        &'rcli;exec;INCR'= {
        }
        &'rcli;exec;INCRBY'= {
        }
        &'rcli;exec;INCRBYFLOAT'= {
        }
        &'rcli;exec;INFO'= {
        }
        &'rcli;exec;KEYS'= {
        }
        &'rcli;exec;LASTSAVE'= {
        }
        &'rcli;exec;LATENCY'= {
        }
        &'rcli;exec;LCS'= {
        }
        &'rcli;exec;LINDEX'= {
        }
        &'rcli;exec;LINSERT'= {
        }
        &'rcli;exec;LLEN'= {
        }
        &'rcli;exec;LMOVE'= {
        }
        &'rcli;exec;LMPOP'= {
        }
        &'rcli;exec;LOLWUT'= {
        }
        &'rcli;exec;LPOP'= {
        }
        &'rcli;exec;LPOS'= {
        }
        &'rcli;exec;LPUSH'= {
        }
        &'rcli;exec;LPUSHX'= {
        }
        &'rcli;exec;LRANGE'= {
        }
        &'rcli;exec;LREM'= {
        }
        &'rcli;exec;LSET'= {
        }
        &'rcli;exec;LTRIM'= {
        }
        &'rcli;exec;MEMORY'= {
        }
        &'rcli;exec;MGET'= {
        }
        &'rcli;exec;MIGRATE'= {
        }
        &'rcli;exec;MODULE'= {
        }
        &'rcli;exec;MONITOR'= {
        }
        &'rcli;exec;MOVE'= {
        }
        &'rcli;exec;MSET'= {
        }
        &'rcli;exec;MSETEX'= {
        }
        &'rcli;exec;MSETNX'= {
        }
        &'rcli;exec;MULTI'= {
        }
        &'rcli;exec;OBJECT'= {
        }
        &'rcli;exec;PERSIST'= {
        }
        &'rcli;exec;PEXPIRE'= {
        }
        &'rcli;exec;PEXPIREAT'= {
        }
        &'rcli;exec;PEXPIRETIME'= {
        }
        &'rcli;exec;PFADD'= {
        }
        &'rcli;exec;PFCOUNT'= {
        }
        &'rcli;exec;PFDEBUG'= {
        }
        &'rcli;exec;PFMERGE'= {
        }
        &'rcli;exec;PFSELFTEST'= {
        }
        &'rcli;exec;PING'= {
        }
        &'rcli;exec;PSETEX'= {
        }
        &'rcli;exec;PSUBSCRIBE'= {
        }
        &'rcli;exec;PSYNC'= {
        }
        &'rcli;exec;PTTL'= {
        }
        &'rcli;exec;PUBLISH'= {
        }
        &'rcli;exec;PUBSUB'= {
        }
        &'rcli;exec;PUNSUBSCRIBE'= {
        }
        &'rcli;exec;QUIT'= {
        }
        &'rcli;exec;RANDOMKEY'= {
        }
        &'rcli;exec;READONLY'= {
        }
        &'rcli;exec;READWRITE'= {
        }
        &'rcli;exec;RENAME'= {
        }
        &'rcli;exec;RENAMENX'= {
        }
        &'rcli;exec;REPLCONF'= {
        }
        &'rcli;exec;REPLICAOF'= {
        }
        &'rcli;exec;RESET'= {
        }
        &'rcli;exec;RESTORE'= {
        }
        &'rcli;exec;RESTORE-ASKING'= {
        }
        &'rcli;exec;ROLE'= {
        }
        &'rcli;exec;RPOP'= {
        }
        &'rcli;exec;RPOPLPUSH'= {
        }
        &'rcli;exec;RPUSH'= {
        }
        &'rcli;exec;RPUSHX'= {
        }
        &'rcli;exec;SADD'= {
        }
        &'rcli;exec;SAVE'= {
        }
        &'rcli;exec;SCAN'= {
        }
        &'rcli;exec;SCARD'= {
        }
        &'rcli;exec;SCRIPT'= {
        }
        &'rcli;exec;SDIFF'= {
        }
        &'rcli;exec;SDIFFSTORE'= {
        }
        &'rcli;exec;SELECT'= {
        }
        &'rcli;exec;SET'= {
        }
        &'rcli;exec;SETBIT'= {
        }
        &'rcli;exec;SETEX'= {
        }
        &'rcli;exec;SETNX'= {
        }
        &'rcli;exec;SETRANGE'= {
        }
        &'rcli;exec;SHUTDOWN'= {
        }
        &'rcli;exec;SINTER'= {
        }
        &'rcli;exec;SINTERCARD'= {
        }
        &'rcli;exec;SINTERSTORE'= {
        }
        &'rcli;exec;SISMEMBER'= {
        }
        &'rcli;exec;SLAVEOF'= {
        }
        &'rcli;exec;SLOWLOG'= {
        }
        &'rcli;exec;SMEMBERS'= {
        }
        &'rcli;exec;SMISMEMBER'= {
        }
        &'rcli;exec;SMOVE'= {
        }
        &'rcli;exec;SORT'= {
        }
        &'rcli;exec;SORT_RO'= {
        }
        &'rcli;exec;SPOP'= {
        }
        &'rcli;exec;SPUBLISH'= {
        }
        &'rcli;exec;SRANDMEMBER'= {
        }
        &'rcli;exec;SREM'= {
        }
        &'rcli;exec;SSCAN'= {
        }
        &'rcli;exec;SSUBSCRIBE'= {
        }
        &'rcli;exec;STRLEN'= {
        }
        &'rcli;exec;SUBSCRIBE'= {
        }
        &'rcli;exec;SUBSTR'= {
        }
        &'rcli;exec;SUNION'= {
        }
        &'rcli;exec;SUNIONSTORE'= {
        }
        &'rcli;exec;SUNSUBSCRIBE'= {
        }
        &'rcli;exec;SWAPDB'= {
        }
        &'rcli;exec;SYNC'= {
        }
        &'rcli;exec;TIME'= {
        }
        &'rcli;exec;TOUCH'= {
        }
        &'rcli;exec;TTL'= {
        }
        &'rcli;exec;TYPE'= {
        }
        &'rcli;exec;UNLINK'= {
        }
        &'rcli;exec;UNSUBSCRIBE'= {
        }
        &'rcli;exec;UNWATCH'= {
        }
        &'rcli;exec;WAIT'= {
        }
        &'rcli;exec;WAITAOF'= {
        }
        &'rcli;exec;WATCH'= {
        }
        &'rcli;exec;XACK'= {
        }
        &'rcli;exec;XACKDEL'= {
        }
        &'rcli;exec;XADD'= {
        }
        &'rcli;exec;XAUTOCLAIM'= {
        }
        &'rcli;exec;XCLAIM'= {
        }
        &'rcli;exec;XDEL'= {
        }
        &'rcli;exec;XDELEX'= {
        }
        &'rcli;exec;XGROUP'= {
        }
        &'rcli;exec;XINFO'= {
        }
        &'rcli;exec;XLEN'= {
        }
        &'rcli;exec;XPENDING'= {
        }
        &'rcli;exec;XRANGE'= {
        }
        &'rcli;exec;XREAD'= {
        }
        &'rcli;exec;XREADGROUP'= {
        }
        &'rcli;exec;XREVRANGE'= {
        }
        &'rcli;exec;XSETID'= {
        }
        &'rcli;exec;XTRIM'= {
        }
        &'rcli;exec;ZADD'= {
        }
        &'rcli;exec;ZCARD'= {
        }
        &'rcli;exec;ZCOUNT'= {
        }
        &'rcli;exec;ZDIFF'= {
        }
        &'rcli;exec;ZDIFFSTORE'= {
        }
        &'rcli;exec;ZINCRBY'= {
        }
        &'rcli;exec;ZINTER'= {
        }
        &'rcli;exec;ZINTERCARD'= {
        }
        &'rcli;exec;ZINTERSTORE'= {
        }
        &'rcli;exec;ZLEXCOUNT'= {
        }
        &'rcli;exec;ZMPOP'= {
        }
        &'rcli;exec;ZMSCORE'= {
        }
        &'rcli;exec;ZPOPMAX'= {
        }
        &'rcli;exec;ZPOPMIN'= {
        }
        &'rcli;exec;ZRANDMEMBER'= {
        }
        &'rcli;exec;ZRANGE'= {
        }
        &'rcli;exec;ZRANGEBYLEX'= {
        }
        &'rcli;exec;ZRANGEBYSCORE'= {
        }
        &'rcli;exec;ZRANGESTORE'= {
        }
        &'rcli;exec;ZRANK'= {
        }
        &'rcli;exec;ZREM'= {
        }
        &'rcli;exec;ZREMRANGEBYLEX'= {
        }
        &'rcli;exec;ZREMRANGEBYRANK'= {
        }
        &'rcli;exec;ZREMRANGEBYSCORE'= {
        }
        &'rcli;exec;ZREVRANGE'= {
        }
        &'rcli;exec;ZREVRANGEBYLEX'= {
        }
        &'rcli;exec;ZREVRANGEBYSCORE'= {
        }
        &'rcli;exec;ZREVRANK'= {
        }
        &'rcli;exec;ZSCAN'= {
        }
        &'rcli;exec;ZSCORE'= {
        }
        &'rcli;exec;ZUNION'= {
        }
        &'rcli;exec;ZUNIONSTORE'= {
        }
        &'rcli;exec;help'= {
            cand ACL 'ACL'
            cand APPEND 'APPEND'
            cand ASKING 'ASKING'
            cand AUTH 'AUTH'
            cand BGREWRITEAOF 'BGREWRITEAOF'
            cand BGSAVE 'BGSAVE'
            cand BITCOUNT 'BITCOUNT'
            cand BITFIELD 'BITFIELD'
            cand BITFIELD_RO 'BITFIELD_RO'
            cand BITOP 'BITOP'
            cand BITPOS 'BITPOS'
            cand BLMOVE 'BLMOVE'
            cand BLMPOP 'BLMPOP'
            cand BLPOP 'BLPOP'
            cand BRPOP 'BRPOP'
            cand BRPOPLPUSH 'BRPOPLPUSH'
            cand BZMPOP 'BZMPOP'
            cand BZPOPMAX 'BZPOPMAX'
            cand BZPOPMIN 'BZPOPMIN'
            cand CLIENT 'CLIENT'
            cand CLUSTER 'CLUSTER'
            cand CLUSTERSCAN 'CLUSTERSCAN'
            cand COMMAND 'COMMAND'
            cand COMMANDLOG 'COMMANDLOG'
            cand CONFIG 'CONFIG'
            cand COPY 'COPY'
            cand DBSIZE 'DBSIZE'
            cand DEBUG 'DEBUG'
            cand DECR 'DECR'
            cand DECRBY 'DECRBY'
            cand DEL 'DEL'
            cand DELIFEQ 'DELIFEQ'
            cand DISCARD 'DISCARD'
            cand DUMP 'DUMP'
            cand ECHO 'ECHO'
            cand EVAL 'EVAL'
            cand EVALSHA 'EVALSHA'
            cand EVALSHA_RO 'EVALSHA_RO'
            cand EVAL_RO 'EVAL_RO'
            cand EXEC 'EXEC'
            cand EXISTS 'EXISTS'
            cand EXPIRE 'EXPIRE'
            cand EXPIREAT 'EXPIREAT'
            cand EXPIRETIME 'EXPIRETIME'
            cand FAILOVER 'FAILOVER'
            cand FCALL 'FCALL'
            cand FCALL_RO 'FCALL_RO'
            cand FLUSHALL 'FLUSHALL'
            cand FLUSHDB 'FLUSHDB'
            cand FUNCTION 'FUNCTION'
            cand GEOADD 'GEOADD'
            cand GEODIST 'GEODIST'
            cand GEOHASH 'GEOHASH'
            cand GEOPOS 'GEOPOS'
            cand GEORADIUS 'GEORADIUS'
            cand GEORADIUSBYMEMBER 'GEORADIUSBYMEMBER'
            cand GEORADIUSBYMEMBER_RO 'GEORADIUSBYMEMBER_RO'
            cand GEORADIUS_RO 'GEORADIUS_RO'
            cand GEOSEARCH 'GEOSEARCH'
            cand GEOSEARCHSTORE 'GEOSEARCHSTORE'
            cand GET 'GET'
            cand GETBIT 'GETBIT'
            cand GETDEL 'GETDEL'
            cand GETEX 'GETEX'
            cand GETRANGE 'GETRANGE'
            cand GETSET 'GETSET'
            cand HDEL 'HDEL'
            cand HELLO 'HELLO'
            cand HEXISTS 'HEXISTS'
            cand HEXPIRE 'HEXPIRE'
            cand HEXPIREAT 'HEXPIREAT'
            cand HEXPIRETIME 'HEXPIRETIME'
            cand HGET 'HGET'
            cand HGETALL 'HGETALL'
            cand HGETDEL 'HGETDEL'
            cand HGETEX 'HGETEX'
            cand HINCRBY 'HINCRBY'
            cand HINCRBYFLOAT 'HINCRBYFLOAT'
            cand HKEYS 'HKEYS'
            cand HLEN 'HLEN'
            cand HMGET 'HMGET'
            cand HMSET 'HMSET'
            cand HPERSIST 'HPERSIST'
            cand HPEXPIRE 'HPEXPIRE'
            cand HPEXPIREAT 'HPEXPIREAT'
            cand HPEXPIRETIME 'HPEXPIRETIME'
            cand HPTTL 'HPTTL'
            cand HRANDFIELD 'HRANDFIELD'
            cand HSCAN 'HSCAN'
            cand HSET 'HSET'
            cand HSETEX 'HSETEX'
            cand HSETNX 'HSETNX'
            cand HSTRLEN 'HSTRLEN'
            cand HTTL 'HTTL'
            cand HVALS 'HVALS'
            cand INCR 'INCR'
            cand INCRBY 'INCRBY'
            cand INCRBYFLOAT 'INCRBYFLOAT'
            cand INFO 'INFO'
            cand KEYS 'KEYS'
            cand LASTSAVE 'LASTSAVE'
            cand LATENCY 'LATENCY'
            cand LCS 'LCS'
            cand LINDEX 'LINDEX'
            cand LINSERT 'LINSERT'
            cand LLEN 'LLEN'
            cand LMOVE 'LMOVE'
            cand LMPOP 'LMPOP'
            cand LOLWUT 'LOLWUT'
            cand LPOP 'LPOP'
            cand LPOS 'LPOS'
            cand LPUSH 'LPUSH'
            cand LPUSHX 'LPUSHX'
            cand LRANGE 'LRANGE'
            cand LREM 'LREM'
            cand LSET 'LSET'
            cand LTRIM 'LTRIM'
            cand MEMORY 'MEMORY'
            cand MGET 'MGET'
            cand MIGRATE 'MIGRATE'
            cand MODULE 'MODULE'
            cand MONITOR 'MONITOR'
            cand MOVE 'MOVE'
            cand MSET 'MSET'
            cand MSETEX 'MSETEX'
            cand MSETNX 'MSETNX'
            cand MULTI 'MULTI'
            cand OBJECT 'OBJECT'
            cand PERSIST 'PERSIST'
            cand PEXPIRE 'PEXPIRE'
            cand PEXPIREAT 'PEXPIREAT'
            cand PEXPIRETIME 'PEXPIRETIME'
            cand PFADD 'PFADD'
            cand PFCOUNT 'PFCOUNT'
            cand PFDEBUG 'PFDEBUG'
            cand PFMERGE 'PFMERGE'
            cand PFSELFTEST 'PFSELFTEST'
            cand PING 'PING'
            cand PSETEX 'PSETEX'
            cand PSUBSCRIBE 'PSUBSCRIBE'
            cand PSYNC 'PSYNC'
            cand PTTL 'PTTL'
            cand PUBLISH 'PUBLISH'
            cand PUBSUB 'PUBSUB'
            cand PUNSUBSCRIBE 'PUNSUBSCRIBE'
            cand QUIT 'QUIT'
            cand RANDOMKEY 'RANDOMKEY'
            cand READONLY 'READONLY'
            cand READWRITE 'READWRITE'
            cand RENAME 'RENAME'
            cand RENAMENX 'RENAMENX'
            cand REPLCONF 'REPLCONF'
            cand REPLICAOF 'REPLICAOF'
            cand RESET 'RESET'
            cand RESTORE 'RESTORE'
            cand RESTORE-ASKING 'RESTORE-ASKING'
            cand ROLE 'ROLE'
            cand RPOP 'RPOP'
            cand RPOPLPUSH 'RPOPLPUSH'
            cand RPUSH 'RPUSH'
            cand RPUSHX 'RPUSHX'
            cand SADD 'SADD'
            cand SAVE 'SAVE'
            cand SCAN 'SCAN'
            cand SCARD 'SCARD'
            cand SCRIPT 'SCRIPT'
            cand SDIFF 'SDIFF'
            cand SDIFFSTORE 'SDIFFSTORE'
            cand SELECT 'SELECT'
            cand SET 'SET'
            cand SETBIT 'SETBIT'
            cand SETEX 'SETEX'
            cand SETNX 'SETNX'
            cand SETRANGE 'SETRANGE'
            cand SHUTDOWN 'SHUTDOWN'
            cand SINTER 'SINTER'
            cand SINTERCARD 'SINTERCARD'
            cand SINTERSTORE 'SINTERSTORE'
            cand SISMEMBER 'SISMEMBER'
            cand SLAVEOF 'SLAVEOF'
            cand SLOWLOG 'SLOWLOG'
            cand SMEMBERS 'SMEMBERS'
            cand SMISMEMBER 'SMISMEMBER'
            cand SMOVE 'SMOVE'
            cand SORT 'SORT'
            cand SORT_RO 'SORT_RO'
            cand SPOP 'SPOP'
            cand SPUBLISH 'SPUBLISH'
            cand SRANDMEMBER 'SRANDMEMBER'
            cand SREM 'SREM'
            cand SSCAN 'SSCAN'
            cand SSUBSCRIBE 'SSUBSCRIBE'
            cand STRLEN 'STRLEN'
            cand SUBSCRIBE 'SUBSCRIBE'
            cand SUBSTR 'SUBSTR'
            cand SUNION 'SUNION'
            cand SUNIONSTORE 'SUNIONSTORE'
            cand SUNSUBSCRIBE 'SUNSUBSCRIBE'
            cand SWAPDB 'SWAPDB'
            cand SYNC 'SYNC'
            cand TIME 'TIME'
            cand TOUCH 'TOUCH'
            cand TTL 'TTL'
            cand TYPE 'TYPE'
            cand UNLINK 'UNLINK'
            cand UNSUBSCRIBE 'UNSUBSCRIBE'
            cand UNWATCH 'UNWATCH'
            cand WAIT 'WAIT'
            cand WAITAOF 'WAITAOF'
            cand WATCH 'WATCH'
            cand XACK 'XACK'
            cand XACKDEL 'XACKDEL'
            cand XADD 'XADD'
            cand XAUTOCLAIM 'XAUTOCLAIM'
            cand XCLAIM 'XCLAIM'
            cand XDEL 'XDEL'
            cand XDELEX 'XDELEX'
            cand XGROUP 'XGROUP'
            cand XINFO 'XINFO'
            cand XLEN 'XLEN'
            cand XPENDING 'XPENDING'
            cand XRANGE 'XRANGE'
            cand XREAD 'XREAD'
            cand XREADGROUP 'XREADGROUP'
            cand XREVRANGE 'XREVRANGE'
            cand XSETID 'XSETID'
            cand XTRIM 'XTRIM'
            cand ZADD 'ZADD'
            cand ZCARD 'ZCARD'
            cand ZCOUNT 'ZCOUNT'
            cand ZDIFF 'ZDIFF'
            cand ZDIFFSTORE 'ZDIFFSTORE'
            cand ZINCRBY 'ZINCRBY'
            cand ZINTER 'ZINTER'
            cand ZINTERCARD 'ZINTERCARD'
            cand ZINTERSTORE 'ZINTERSTORE'
            cand ZLEXCOUNT 'ZLEXCOUNT'
            cand ZMPOP 'ZMPOP'
            cand ZMSCORE 'ZMSCORE'
            cand ZPOPMAX 'ZPOPMAX'
            cand ZPOPMIN 'ZPOPMIN'
            cand ZRANDMEMBER 'ZRANDMEMBER'
            cand ZRANGE 'ZRANGE'
            cand ZRANGEBYLEX 'ZRANGEBYLEX'
            cand ZRANGEBYSCORE 'ZRANGEBYSCORE'
            cand ZRANGESTORE 'ZRANGESTORE'
            cand ZRANK 'ZRANK'
            cand ZREM 'ZREM'
            cand ZREMRANGEBYLEX 'ZREMRANGEBYLEX'
            cand ZREMRANGEBYRANK 'ZREMRANGEBYRANK'
            cand ZREMRANGEBYSCORE 'ZREMRANGEBYSCORE'
            cand ZREVRANGE 'ZREVRANGE'
            cand ZREVRANGEBYLEX 'ZREVRANGEBYLEX'
            cand ZREVRANGEBYSCORE 'ZREVRANGEBYSCORE'
            cand ZREVRANK 'ZREVRANK'
            cand ZSCAN 'ZSCAN'
            cand ZSCORE 'ZSCORE'
            cand ZUNION 'ZUNION'
            cand ZUNIONSTORE 'ZUNIONSTORE'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rcli;exec;help;ACL'= {
        }
        &'rcli;exec;help;APPEND'= {
        }
        &'rcli;exec;help;ASKING'= {
        }
        &'rcli;exec;help;AUTH'= {
        }
        &'rcli;exec;help;BGREWRITEAOF'= {
        }
        &'rcli;exec;help;BGSAVE'= {
        }
        &'rcli;exec;help;BITCOUNT'= {
        }
        &'rcli;exec;help;BITFIELD'= {
        }
        &'rcli;exec;help;BITFIELD_RO'= {
        }
        &'rcli;exec;help;BITOP'= {
        }
        &'rcli;exec;help;BITPOS'= {
        }
        &'rcli;exec;help;BLMOVE'= {
        }
        &'rcli;exec;help;BLMPOP'= {
        }
        &'rcli;exec;help;BLPOP'= {
        }
        &'rcli;exec;help;BRPOP'= {
        }
        &'rcli;exec;help;BRPOPLPUSH'= {
        }
        &'rcli;exec;help;BZMPOP'= {
        }
        &'rcli;exec;help;BZPOPMAX'= {
        }
        &'rcli;exec;help;BZPOPMIN'= {
        }
        &'rcli;exec;help;CLIENT'= {
        }
        &'rcli;exec;help;CLUSTER'= {
        }
        &'rcli;exec;help;CLUSTERSCAN'= {
        }
        &'rcli;exec;help;COMMAND'= {
        }
        &'rcli;exec;help;COMMANDLOG'= {
        }
        &'rcli;exec;help;CONFIG'= {
        }
        &'rcli;exec;help;COPY'= {
        }
        &'rcli;exec;help;DBSIZE'= {
        }
        &'rcli;exec;help;DEBUG'= {
        }
        &'rcli;exec;help;DECR'= {
        }
        &'rcli;exec;help;DECRBY'= {
        }
        &'rcli;exec;help;DEL'= {
        }
        &'rcli;exec;help;DELIFEQ'= {
        }
        &'rcli;exec;help;DISCARD'= {
        }
        &'rcli;exec;help;DUMP'= {
        }
        &'rcli;exec;help;ECHO'= {
        }
        &'rcli;exec;help;EVAL'= {
        }
        &'rcli;exec;help;EVALSHA'= {
        }
        &'rcli;exec;help;EVALSHA_RO'= {
        }
        &'rcli;exec;help;EVAL_RO'= {
        }
        &'rcli;exec;help;EXEC'= {
        }
        &'rcli;exec;help;EXISTS'= {
        }
        &'rcli;exec;help;EXPIRE'= {
        }
        &'rcli;exec;help;EXPIREAT'= {
        }
        &'rcli;exec;help;EXPIRETIME'= {
        }
        &'rcli;exec;help;FAILOVER'= {
        }
        &'rcli;exec;help;FCALL'= {
        }
        &'rcli;exec;help;FCALL_RO'= {
        }
        &'rcli;exec;help;FLUSHALL'= {
        }
        &'rcli;exec;help;FLUSHDB'= {
        }
        &'rcli;exec;help;FUNCTION'= {
        }
        &'rcli;exec;help;GEOADD'= {
        }
        &'rcli;exec;help;GEODIST'= {
        }
        &'rcli;exec;help;GEOHASH'= {
        }
        &'rcli;exec;help;GEOPOS'= {
        }
        &'rcli;exec;help;GEORADIUS'= {
        }
        &'rcli;exec;help;GEORADIUSBYMEMBER'= {
        }
        &'rcli;exec;help;GEORADIUSBYMEMBER_RO'= {
        }
        &'rcli;exec;help;GEORADIUS_RO'= {
        }
        &'rcli;exec;help;GEOSEARCH'= {
        }
        &'rcli;exec;help;GEOSEARCHSTORE'= {
        }
        &'rcli;exec;help;GET'= {
        }
        &'rcli;exec;help;GETBIT'= {
        }
        &'rcli;exec;help;GETDEL'= {
        }
        &'rcli;exec;help;GETEX'= {
        }
        &'rcli;exec;help;GETRANGE'= {
        }
        &'rcli;exec;help;GETSET'= {
        }
        &'rcli;exec;help;HDEL'= {
        }
        &'rcli;exec;help;HELLO'= {
        }
        &'rcli;exec;help;HEXISTS'= {
        }
        &'rcli;exec;help;HEXPIRE'= {
        }
        &'rcli;exec;help;HEXPIREAT'= {
        }
        &'rcli;exec;help;HEXPIRETIME'= {
        }
        &'rcli;exec;help;HGET'= {
        }
        &'rcli;exec;help;HGETALL'= {
        }
        &'rcli;exec;help;HGETDEL'= {
        }
        &'rcli;exec;help;HGETEX'= {
        }
        &'rcli;exec;help;HINCRBY'= {
        }
        &'rcli;exec;help;HINCRBYFLOAT'= {
        }
        &'rcli;exec;help;HKEYS'= {
        }
        &'rcli;exec;help;HLEN'= {
        }
        &'rcli;exec;help;HMGET'= {
        }
        &'rcli;exec;help;HMSET'= {
        }
        &'rcli;exec;help;HPERSIST'= {
        }
        &'rcli;exec;help;HPEXPIRE'= {
        }
        &'rcli;exec;help;HPEXPIREAT'= {
        }
        &'rcli;exec;help;HPEXPIRETIME'= {
        }
        &'rcli;exec;help;HPTTL'= {
        }
        &'rcli;exec;help;HRANDFIELD'= {
        }
        &'rcli;exec;help;HSCAN'= {
        }
        &'rcli;exec;help;HSET'= {
        }
        &'rcli;exec;help;HSETEX'= {
        }
        &'rcli;exec;help;HSETNX'= {
        }
        &'rcli;exec;help;HSTRLEN'= {
        }
        &'rcli;exec;help;HTTL'= {
        }
        &'rcli;exec;help;HVALS'= {
        }
        &'rcli;exec;help;INCR'= {
        }
        &'rcli;exec;help;INCRBY'= {
        }
        &'rcli;exec;help;INCRBYFLOAT'= {
        }
        &'rcli;exec;help;INFO'= {
        }
        &'rcli;exec;help;KEYS'= {
        }
        &'rcli;exec;help;LASTSAVE'= {
        }
        &'rcli;exec;help;LATENCY'= {
        }
        &'rcli;exec;help;LCS'= {
        }
        &'rcli;exec;help;LINDEX'= {
        }
        &'rcli;exec;help;LINSERT'= {
        }
        &'rcli;exec;help;LLEN'= {
        }
        &'rcli;exec;help;LMOVE'= {
        }
        &'rcli;exec;help;LMPOP'= {
        }
        &'rcli;exec;help;LOLWUT'= {
        }
        &'rcli;exec;help;LPOP'= {
        }
        &'rcli;exec;help;LPOS'= {
        }
        &'rcli;exec;help;LPUSH'= {
        }
        &'rcli;exec;help;LPUSHX'= {
        }
        &'rcli;exec;help;LRANGE'= {
        }
        &'rcli;exec;help;LREM'= {
        }
        &'rcli;exec;help;LSET'= {
        }
        &'rcli;exec;help;LTRIM'= {
        }
        &'rcli;exec;help;MEMORY'= {
        }
        &'rcli;exec;help;MGET'= {
        }
        &'rcli;exec;help;MIGRATE'= {
        }
        &'rcli;exec;help;MODULE'= {
        }
        &'rcli;exec;help;MONITOR'= {
        }
        &'rcli;exec;help;MOVE'= {
        }
        &'rcli;exec;help;MSET'= {
        }
        &'rcli;exec;help;MSETEX'= {
        }
        &'rcli;exec;help;MSETNX'= {
        }
        &'rcli;exec;help;MULTI'= {
        }
        &'rcli;exec;help;OBJECT'= {
        }
        &'rcli;exec;help;PERSIST'= {
        }
        &'rcli;exec;help;PEXPIRE'= {
        }
        &'rcli;exec;help;PEXPIREAT'= {
        }
        &'rcli;exec;help;PEXPIRETIME'= {
        }
        &'rcli;exec;help;PFADD'= {
        }
        &'rcli;exec;help;PFCOUNT'= {
        }
        &'rcli;exec;help;PFDEBUG'= {
        }
        &'rcli;exec;help;PFMERGE'= {
        }
        &'rcli;exec;help;PFSELFTEST'= {
        }
        &'rcli;exec;help;PING'= {
        }
        &'rcli;exec;help;PSETEX'= {
        }
        &'rcli;exec;help;PSUBSCRIBE'= {
        }
        &'rcli;exec;help;PSYNC'= {
        }
        &'rcli;exec;help;PTTL'= {
        }
        &'rcli;exec;help;PUBLISH'= {
        }
        &'rcli;exec;help;PUBSUB'= {
        }
        &'rcli;exec;help;PUNSUBSCRIBE'= {
        }
        &'rcli;exec;help;QUIT'= {
        }
        &'rcli;exec;help;RANDOMKEY'= {
        }
        &'rcli;exec;help;READONLY'= {
        }
        &'rcli;exec;help;READWRITE'= {
        }
        &'rcli;exec;help;RENAME'= {
        }
        &'rcli;exec;help;RENAMENX'= {
        }
        &'rcli;exec;help;REPLCONF'= {
        }
        &'rcli;exec;help;REPLICAOF'= {
        }
        &'rcli;exec;help;RESET'= {
        }
        &'rcli;exec;help;RESTORE'= {
        }
        &'rcli;exec;help;RESTORE-ASKING'= {
        }
        &'rcli;exec;help;ROLE'= {
        }
        &'rcli;exec;help;RPOP'= {
        }
        &'rcli;exec;help;RPOPLPUSH'= {
        }
        &'rcli;exec;help;RPUSH'= {
        }
        &'rcli;exec;help;RPUSHX'= {
        }
        &'rcli;exec;help;SADD'= {
        }
        &'rcli;exec;help;SAVE'= {
        }
        &'rcli;exec;help;SCAN'= {
        }
        &'rcli;exec;help;SCARD'= {
        }
        &'rcli;exec;help;SCRIPT'= {
        }
        &'rcli;exec;help;SDIFF'= {
        }
        &'rcli;exec;help;SDIFFSTORE'= {
        }
        &'rcli;exec;help;SELECT'= {
        }
        &'rcli;exec;help;SET'= {
        }
        &'rcli;exec;help;SETBIT'= {
        }
        &'rcli;exec;help;SETEX'= {
        }
        &'rcli;exec;help;SETNX'= {
        }
        &'rcli;exec;help;SETRANGE'= {
        }
        &'rcli;exec;help;SHUTDOWN'= {
        }
        &'rcli;exec;help;SINTER'= {
        }
        &'rcli;exec;help;SINTERCARD'= {
        }
        &'rcli;exec;help;SINTERSTORE'= {
        }
        &'rcli;exec;help;SISMEMBER'= {
        }
        &'rcli;exec;help;SLAVEOF'= {
        }
        &'rcli;exec;help;SLOWLOG'= {
        }
        &'rcli;exec;help;SMEMBERS'= {
        }
        &'rcli;exec;help;SMISMEMBER'= {
        }
        &'rcli;exec;help;SMOVE'= {
        }
        &'rcli;exec;help;SORT'= {
        }
        &'rcli;exec;help;SORT_RO'= {
        }
        &'rcli;exec;help;SPOP'= {
        }
        &'rcli;exec;help;SPUBLISH'= {
        }
        &'rcli;exec;help;SRANDMEMBER'= {
        }
        &'rcli;exec;help;SREM'= {
        }
        &'rcli;exec;help;SSCAN'= {
        }
        &'rcli;exec;help;SSUBSCRIBE'= {
        }
        &'rcli;exec;help;STRLEN'= {
        }
        &'rcli;exec;help;SUBSCRIBE'= {
        }
        &'rcli;exec;help;SUBSTR'= {
        }
        &'rcli;exec;help;SUNION'= {
        }
        &'rcli;exec;help;SUNIONSTORE'= {
        }
        &'rcli;exec;help;SUNSUBSCRIBE'= {
        }
        &'rcli;exec;help;SWAPDB'= {
        }
        &'rcli;exec;help;SYNC'= {
        }
        &'rcli;exec;help;TIME'= {
        }
        &'rcli;exec;help;TOUCH'= {
        }
        &'rcli;exec;help;TTL'= {
        }
        &'rcli;exec;help;TYPE'= {
        }
        &'rcli;exec;help;UNLINK'= {
        }
        &'rcli;exec;help;UNSUBSCRIBE'= {
        }
        &'rcli;exec;help;UNWATCH'= {
        }
        &'rcli;exec;help;WAIT'= {
        }
        &'rcli;exec;help;WAITAOF'= {
        }
        &'rcli;exec;help;WATCH'= {
        }
        &'rcli;exec;help;XACK'= {
        }
        &'rcli;exec;help;XACKDEL'= {
        }
        &'rcli;exec;help;XADD'= {
        }
        &'rcli;exec;help;XAUTOCLAIM'= {
        }
        &'rcli;exec;help;XCLAIM'= {
        }
        &'rcli;exec;help;XDEL'= {
        }
        &'rcli;exec;help;XDELEX'= {
        }
        &'rcli;exec;help;XGROUP'= {
        }
        &'rcli;exec;help;XINFO'= {
        }
        &'rcli;exec;help;XLEN'= {
        }
        &'rcli;exec;help;XPENDING'= {
        }
        &'rcli;exec;help;XRANGE'= {
        }
        &'rcli;exec;help;XREAD'= {
        }
        &'rcli;exec;help;XREADGROUP'= {
        }
        &'rcli;exec;help;XREVRANGE'= {
        }
        &'rcli;exec;help;XSETID'= {
        }
        &'rcli;exec;help;XTRIM'= {
        }
        &'rcli;exec;help;ZADD'= {
        }
        &'rcli;exec;help;ZCARD'= {
        }
        &'rcli;exec;help;ZCOUNT'= {
        }
        &'rcli;exec;help;ZDIFF'= {
        }
        &'rcli;exec;help;ZDIFFSTORE'= {
        }
        &'rcli;exec;help;ZINCRBY'= {
        }
        &'rcli;exec;help;ZINTER'= {
        }
        &'rcli;exec;help;ZINTERCARD'= {
        }
        &'rcli;exec;help;ZINTERSTORE'= {
        }
        &'rcli;exec;help;ZLEXCOUNT'= {
        }
        &'rcli;exec;help;ZMPOP'= {
        }
        &'rcli;exec;help;ZMSCORE'= {
        }
        &'rcli;exec;help;ZPOPMAX'= {
        }
        &'rcli;exec;help;ZPOPMIN'= {
        }
        &'rcli;exec;help;ZRANDMEMBER'= {
        }
        &'rcli;exec;help;ZRANGE'= {
        }
        &'rcli;exec;help;ZRANGEBYLEX'= {
        }
        &'rcli;exec;help;ZRANGEBYSCORE'= {
        }
        &'rcli;exec;help;ZRANGESTORE'= {
        }
        &'rcli;exec;help;ZRANK'= {
        }
        &'rcli;exec;help;ZREM'= {
        }
        &'rcli;exec;help;ZREMRANGEBYLEX'= {
        }
        &'rcli;exec;help;ZREMRANGEBYRANK'= {
        }
        &'rcli;exec;help;ZREMRANGEBYSCORE'= {
        }
        &'rcli;exec;help;ZREVRANGE'= {
        }
        &'rcli;exec;help;ZREVRANGEBYLEX'= {
        }
        &'rcli;exec;help;ZREVRANGEBYSCORE'= {
        }
        &'rcli;exec;help;ZREVRANK'= {
        }
        &'rcli;exec;help;ZSCAN'= {
        }
        &'rcli;exec;help;ZSCORE'= {
        }
        &'rcli;exec;help;ZUNION'= {
        }
        &'rcli;exec;help;ZUNIONSTORE'= {
        }
        &'rcli;exec;help;help'= {
        }
        &'rcli;help'= {
            cand pipe 'Run the commands of files or standard input as a pipeline'
            cand sub 'Subscribe to channels and write each message as it arrives'
            cand psub 'Subscribe to patterns of channels and write each message as it arrives'
            cand ssub 'Subscribe to shard channels and write each message as it arrives'
            cand monitor 'Write every command that the server runs'
            cand txn 'Run commands as one MULTI/EXEC block, guarded by WATCH'
            cand profiles 'List the profiles, without their passwords'
            cand completions 'Print the completions for a shell'
            cand generate 'Write completions/ and man/, and with --table src/command/table/commands.json, below a directory'
            cand exec 'Run one command'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rcli;help;pipe'= {
        }
        &'rcli;help;sub'= {
        }
        &'rcli;help;psub'= {
        }
        &'rcli;help;ssub'= {
        }
        &'rcli;help;monitor'= {
        }
        &'rcli;help;txn'= {
        }
        &'rcli;help;profiles'= {
        }
        &'rcli;help;completions'= {
        }
        &'rcli;help;generate'= {
        }
        &'rcli;help;exec'= {
            cand ACL 'ACL'
            cand APPEND 'APPEND'
            cand ASKING 'ASKING'
            cand AUTH 'AUTH'
            cand BGREWRITEAOF 'BGREWRITEAOF'
            cand BGSAVE 'BGSAVE'
            cand BITCOUNT 'BITCOUNT'
            cand BITFIELD 'BITFIELD'
            cand BITFIELD_RO 'BITFIELD_RO'
            cand BITOP 'BITOP'
            cand BITPOS 'BITPOS'
            cand BLMOVE 'BLMOVE'
            cand BLMPOP 'BLMPOP'
            cand BLPOP 'BLPOP'
            cand BRPOP 'BRPOP'
            cand BRPOPLPUSH 'BRPOPLPUSH'
            cand BZMPOP 'BZMPOP'
            cand BZPOPMAX 'BZPOPMAX'
            cand BZPOPMIN 'BZPOPMIN'
            cand CLIENT 'CLIENT'
            cand CLUSTER 'CLUSTER'
            cand CLUSTERSCAN 'CLUSTERSCAN'
            cand COMMAND 'COMMAND'
            cand COMMANDLOG 'COMMANDLOG'
            cand CONFIG 'CONFIG'
            cand COPY 'COPY'
            cand DBSIZE 'DBSIZE'
            cand DEBUG 'DEBUG'
            cand DECR 'DECR'
            cand DECRBY 'DECRBY'
            cand DEL 'DEL'
            cand DELIFEQ 'DELIFEQ'
            cand DISCARD 'DISCARD'
            cand DUMP 'DUMP'
            cand ECHO 'ECHO'
            cand EVAL 'EVAL'
            cand EVALSHA 'EVALSHA'
            cand EVALSHA_RO 'EVALSHA_RO'
            cand EVAL_RO 'EVAL_RO'
            cand EXEC 'EXEC'
            cand EXISTS 'EXISTS'
            cand EXPIRE 'EXPIRE'
            cand EXPIREAT 'EXPIREAT'
            cand EXPIRETIME 'EXPIRETIME'
            cand FAILOVER 'FAILOVER'
            cand FCALL 'FCALL'
            cand FCALL_RO 'FCALL_RO'
            cand FLUSHALL 'FLUSHALL'
            cand FLUSHDB 'FLUSHDB'
            cand FUNCTION 'FUNCTION'
            cand GEOADD 'GEOADD'
            cand GEODIST 'GEODIST'
            cand GEOHASH 'GEOHASH'
            cand GEOPOS 'GEOPOS'
            cand GEORADIUS 'GEORADIUS'
            cand GEORADIUSBYMEMBER 'GEORADIUSBYMEMBER'
            cand GEORADIUSBYMEMBER_RO 'GEORADIUSBYMEMBER_RO'
            cand GEORADIUS_RO 'GEORADIUS_RO'
            cand GEOSEARCH 'GEOSEARCH'
            cand GEOSEARCHSTORE 'GEOSEARCHSTORE'
            cand GET 'GET'
            cand GETBIT 'GETBIT'
            cand GETDEL 'GETDEL'
            cand GETEX 'GETEX'
            cand GETRANGE 'GETRANGE'
            cand GETSET 'GETSET'
            cand HDEL 'HDEL'
            cand HELLO 'HELLO'
            cand HEXISTS 'HEXISTS'
            cand HEXPIRE 'HEXPIRE'
            cand HEXPIREAT 'HEXPIREAT'
            cand HEXPIRETIME 'HEXPIRETIME'
            cand HGET 'HGET'
            cand HGETALL 'HGETALL'
            cand HGETDEL 'HGETDEL'
            cand HGETEX 'HGETEX'
            cand HINCRBY 'HINCRBY'
            cand HINCRBYFLOAT 'HINCRBYFLOAT'
            cand HKEYS 'HKEYS'
            cand HLEN 'HLEN'
            cand HMGET 'HMGET'
            cand HMSET 'HMSET'
            cand HPERSIST 'HPERSIST'
            cand HPEXPIRE 'HPEXPIRE'
            cand HPEXPIREAT 'HPEXPIREAT'
            cand HPEXPIRETIME 'HPEXPIRETIME'
            cand HPTTL 'HPTTL'
            cand HRANDFIELD 'HRANDFIELD'
            cand HSCAN 'HSCAN'
            cand HSET 'HSET'
            cand HSETEX 'HSETEX'
            cand HSETNX 'HSETNX'
            cand HSTRLEN 'HSTRLEN'
            cand HTTL 'HTTL'
            cand HVALS 'HVALS'
            cand INCR 'INCR'
            cand INCRBY 'INCRBY'
            cand INCRBYFLOAT 'INCRBYFLOAT'
            cand INFO 'INFO'
            cand KEYS 'KEYS'
            cand LASTSAVE 'LASTSAVE'
            cand LATENCY 'LATENCY'
            cand LCS 'LCS'
            cand LINDEX 'LINDEX'
            cand LINSERT 'LINSERT'
            cand LLEN 'LLEN'
            cand LMOVE 'LMOVE'
            cand LMPOP 'LMPOP'
            cand LOLWUT 'LOLWUT'
            cand LPOP 'LPOP'
            cand LPOS 'LPOS'
            cand LPUSH 'LPUSH'
            cand LPUSHX 'LPUSHX'
            cand LRANGE 'LRANGE'
            cand LREM 'LREM'
            cand LSET 'LSET'
            cand LTRIM 'LTRIM'
            cand MEMORY 'MEMORY'
            cand MGET 'MGET'
            cand MIGRATE 'MIGRATE'
            cand MODULE 'MODULE'
            cand MONITOR 'MONITOR'
            cand MOVE 'MOVE'
            cand MSET 'MSET'
            cand MSETEX 'MSETEX'
            cand MSETNX 'MSETNX'
            cand MULTI 'MULTI'
            cand OBJECT 'OBJECT'
            cand PERSIST 'PERSIST'
            cand PEXPIRE 'PEXPIRE'
            cand PEXPIREAT 'PEXPIREAT'
            cand PEXPIRETIME 'PEXPIRETIME'
            cand PFADD 'PFADD'
            cand PFCOUNT 'PFCOUNT'
            cand PFDEBUG 'PFDEBUG'
            cand PFMERGE 'PFMERGE'
            cand PFSELFTEST 'PFSELFTEST'
            cand PING 'PING'
            cand PSETEX 'PSETEX'
            cand PSUBSCRIBE 'PSUBSCRIBE'
            cand PSYNC 'PSYNC'
            cand PTTL 'PTTL'
            cand PUBLISH 'PUBLISH'
            cand PUBSUB 'PUBSUB'
            cand PUNSUBSCRIBE 'PUNSUBSCRIBE'
            cand QUIT 'QUIT'
            cand RANDOMKEY 'RANDOMKEY'
            cand READONLY 'READONLY'
            cand READWRITE 'READWRITE'
            cand RENAME 'RENAME'
            cand RENAMENX 'RENAMENX'
            cand REPLCONF 'REPLCONF'
            cand REPLICAOF 'REPLICAOF'
            cand RESET 'RESET'
            cand RESTORE 'RESTORE'
            cand RESTORE-ASKING 'RESTORE-ASKING'
            cand ROLE 'ROLE'
            cand RPOP 'RPOP'
            cand RPOPLPUSH 'RPOPLPUSH'
            cand RPUSH 'RPUSH'
            cand RPUSHX 'RPUSHX'
            cand SADD 'SADD'
            cand SAVE 'SAVE'
            cand SCAN 'SCAN'
            cand SCARD 'SCARD'
            cand SCRIPT 'SCRIPT'
            cand SDIFF 'SDIFF'
            cand SDIFFSTORE 'SDIFFSTORE'
            cand SELECT 'SELECT'
            cand SET 'SET'
            cand SETBIT 'SETBIT'
            cand SETEX 'SETEX'
            cand SETNX 'SETNX'
            cand SETRANGE 'SETRANGE'
            cand SHUTDOWN 'SHUTDOWN'
            cand SINTER 'SINTER'
            cand SINTERCARD 'SINTERCARD'
            cand SINTERSTORE 'SINTERSTORE'
            cand SISMEMBER 'SISMEMBER'
            cand SLAVEOF 'SLAVEOF'
            cand SLOWLOG 'SLOWLOG'
            cand SMEMBERS 'SMEMBERS'
            cand SMISMEMBER 'SMISMEMBER'
            cand SMOVE 'SMOVE'
            cand SORT 'SORT'
            cand SORT_RO 'SORT_RO'
            cand SPOP 'SPOP'
            cand SPUBLISH 'SPUBLISH'
            cand SRANDMEMBER 'SRANDMEMBER'
            cand SREM 'SREM'
            cand SSCAN 'SSCAN'
            cand SSUBSCRIBE 'SSUBSCRIBE'
            cand STRLEN 'STRLEN'
            cand SUBSCRIBE 'SUBSCRIBE'
            cand SUBSTR 'SUBSTR'
            cand SUNION 'SUNION'
            cand SUNIONSTORE 'SUNIONSTORE'
            cand SUNSUBSCRIBE 'SUNSUBSCRIBE'
            cand SWAPDB 'SWAPDB'
            cand SYNC 'SYNC'
            cand TIME 'TIME'
            cand TOUCH 'TOUCH'
            cand TTL 'TTL'
            cand TYPE 'TYPE'
            cand UNLINK 'UNLINK'
            cand UNSUBSCRIBE 'UNSUBSCRIBE'
            cand UNWATCH 'UNWATCH'
            cand WAIT 'WAIT'
            cand WAITAOF 'WAITAOF'
            cand WATCH 'WATCH'
            cand XACK 'XACK'
            cand XACKDEL 'XACKDEL'
            cand XADD 'XADD'
            cand XAUTOCLAIM 'XAUTOCLAIM'
            cand XCLAIM 'XCLAIM'
            cand XDEL 'XDEL'
            cand XDELEX 'XDELEX'
            cand XGROUP 'XGROUP'
            cand XINFO 'XINFO'
            cand XLEN 'XLEN'
            cand XPENDING 'XPENDING'
            cand XRANGE 'XRANGE'
            cand XREAD 'XREAD'
            cand XREADGROUP 'XREADGROUP'
            cand XREVRANGE 'XREVRANGE'
            cand XSETID 'XSETID'
            cand XTRIM 'XTRIM'
            cand ZADD 'ZADD'
            cand ZCARD 'ZCARD'
            cand ZCOUNT 'ZCOUNT'
            cand ZDIFF 'ZDIFF'
            cand ZDIFFSTORE 'ZDIFFSTORE'
            cand ZINCRBY 'ZINCRBY'
            cand ZINTER 'ZINTER'
            cand ZINTERCARD 'ZINTERCARD'
            cand ZINTERSTORE 'ZINTERSTORE'
            cand ZLEXCOUNT 'ZLEXCOUNT'
            cand ZMPOP 'ZMPOP'
            cand ZMSCORE 'ZMSCORE'
            cand ZPOPMAX 'ZPOPMAX'
            cand ZPOPMIN 'ZPOPMIN'
            cand ZRANDMEMBER 'ZRANDMEMBER'
            cand ZRANGE 'ZRANGE'
            cand ZRANGEBYLEX 'ZRANGEBYLEX'
            cand ZRANGEBYSCORE 'ZRANGEBYSCORE'
            cand ZRANGESTORE 'ZRANGESTORE'
            cand ZRANK 'ZRANK'
            cand ZREM 'ZREM'
            cand ZREMRANGEBYLEX 'ZREMRANGEBYLEX'
            cand ZREMRANGEBYRANK 'ZREMRANGEBYRANK'
            cand ZREMRANGEBYSCORE 'ZREMRANGEBYSCORE'
            cand ZREVRANGE 'ZREVRANGE'
            cand ZREVRANGEBYLEX 'ZREVRANGEBYLEX'
            cand ZREVRANGEBYSCORE 'ZREVRANGEBYSCORE'
            cand ZREVRANK 'ZREVRANK'
            cand ZSCAN 'ZSCAN'
            cand ZSCORE 'ZSCORE'
            cand ZUNION 'ZUNION'
            cand ZUNIONSTORE 'ZUNIONSTORE'
        }
        &'rcli;help;exec;ACL'= {
        }
        &'rcli;help;exec;APPEND'= {
        }
        &'rcli;help;exec;ASKING'= {
        }
        &'rcli;help;exec;AUTH'= {
        }
        &'rcli;help;exec;BGREWRITEAOF'= {
        }
        &'rcli;help;exec;BGSAVE'= {
        }
        &'rcli;help;exec;BITCOUNT'= {
        }
        &'rcli;help;exec;BITFIELD'= {
        }
        &'rcli;help;exec;BITFIELD_RO'= {
        }
        &'rcli;help;exec;BITOP'= {
        }
        &'rcli;help;exec;BITPOS'= {
        }
        &'rcli;help;exec;BLMOVE'= {
        }
        &'rcli;help;exec;BLMPOP'= {
        }
        &'rcli;help;exec;BLPOP'= {
        }
        &'rcli;help;exec;BRPOP'= {
        }
        &'rcli;help;exec;BRPOPLPUSH'= {
        }
        &'rcli;help;exec;BZMPOP'= {
        }
        &'rcli;help;exec;BZPOPMAX'= {
        }
        &'rcli;help;exec;BZPOPMIN'= {
        }
        &'rcli;help;exec;CLIENT'= {
        }
        &'rcli;help;exec;CLUSTER'= {
        }
        &'rcli;help;exec;CLUSTERSCAN'= {
        }
        &'rcli;help;exec;COMMAND'= {
        }
        &'rcli;help;exec;COMMANDLOG'= {
        }
        &'rcli;help;exec;CONFIG'= {
        }
        &'rcli;help;exec;COPY'= {
        }
        &'rcli;help;exec;DBSIZE'= {
        }
        &'rcli;help;exec;DEBUG'= {
        }
        &'rcli;help;exec;DECR'= {
        }
        &'rcli;help;exec;DECRBY'= {
        }
        &'rcli;help;exec;DEL'= {
        }
        &'rcli;help;exec;DELIFEQ'= {
        }
        &'rcli;help;exec;DISCARD'= {
        }
        &'rcli;help;exec;DUMP'= {
        }
        &'rcli;help;exec;ECHO'= {
        }
        &'rcli;help;exec;EVAL'= {
        }
        &'rcli;help;exec;EVALSHA'= {
        }
        &'rcli;help;exec;EVALSHA_RO'= {
        }
        &'rcli;help;exec;EVAL_RO'= {
        }
        &'rcli;help;exec;EXEC'= {
        }
        &'rcli;help;exec;EXISTS'= {
        }
        &'rcli;help;exec;EXPIRE'= {
        }
        &'rcli;help;exec;EXPIREAT'= {
        }
        &'rcli;help;exec;EXPIRETIME'= {
        }
        &'rcli;help;exec;FAILOVER'= {
        }
        &'rcli;help;exec;FCALL'= {
        }
        &'rcli;help;exec;FCALL_RO'= {
        }
        &'rcli;help;exec;FLUSHALL'= {
        }
        &'rcli;help;exec;FLUSHDB'= {
        }
        &'rcli;help;exec;FUNCTION'= {
        }
        &'rcli;help;exec;GEOADD'= {
        }
        &'rcli;help;exec;GEODIST'= {
        }
        &'rcli;help;exec;GEOHASH'= {
        }
        &'rcli;help;exec;GEOPOS'= {
        }
        &'rcli;help;exec;GEORADIUS'= {
        }
        &'rcli;help;exec;GEORADIUSBYMEMBER'= {
        }
        &'rcli;help;exec;GEORADIUSBYMEMBER_RO'= {
        }
        &'rcli;help;exec;GEORADIUS_RO'= {
        }
        &'rcli;help;exec;GEOSEARCH'= {
        }
        &'rcli;help;exec;GEOSEARCHSTORE'= {
        }
        &'rcli;help;exec;GET'= {
        }
        &'rcli;help;exec;GETBIT'= {
        }
        &'rcli;help;exec;GETDEL'= {
        }
        &'rcli;help;exec;GETEX'= {
        }
        &'rcli;help;exec;GETRANGE'= {
        }
        &'rcli;help;exec;GETSET'= {
        }
        &'rcli;help;exec;HDEL'= {
        }
        &'rcli;help;exec;HELLO'= {
        }
        &'rcli;help;exec;HEXISTS'= {
        }
        &'rcli;help;exec;HEXPIRE'= {
        }
        &'rcli;help;exec;HEXPIREAT'= {
        }
        &'rcli;help;exec;HEXPIRETIME'= {
        }
        &'rcli;help;exec;HGET'= {
        }
        &'rcli;help;exec;HGETALL'= {
        }
        &'rcli;help;exec;HGETDEL'= {
        }
        &'rcli;help;exec;HGETEX'= {
        }
        &'rcli;help;exec;HINCRBY'= {
        }
        &'rcli;help;exec;HINCRBYFLOAT'= {
        }
        &'rcli;help;exec;HKEYS'= {
        }
        &'rcli;help;exec;HLEN'= {
        }
        &'rcli;help;exec;HMGET'= {
        }
        &'rcli;help;exec;HMSET'= {
        }
        &'rcli;help;exec;HPERSIST'= {
        }
        &'rcli;help;exec;HPEXPIRE'= {
        }
        &'rcli;help;exec;HPEXPIREAT'= {
        }
        &'rcli;help;exec;HPEXPIRETIME'= {
        }
        &'rcli;help;exec;HPTTL'= {
        }
        &'rcli;help;exec;HRANDFIELD'= {
        }
        &'rcli;help;exec;HSCAN'= {
        }
        &'rcli;help;exec;HSET'= {
        }
        &'rcli;help;exec;HSETEX'= {
        }
        &'rcli;help;exec;HSETNX'= {
        }
        &'rcli;help;exec;HSTRLEN'= {
        }
        &'rcli;help;exec;HTTL'= {
        }
        &'rcli;help;exec;HVALS'= {
        }
        &'rcli;help;exec;INCR'= {
        }
        &'rcli;help;exec;INCRBY'= {
        }
        &'rcli;help;exec;INCRBYFLOAT'= {
        }
        &'rcli;help;exec;INFO'= {
        }
        &'rcli;help;exec;KEYS'= {
        }
        &'rcli;help;exec;LASTSAVE'= {
        }
        &'rcli;help;exec;LATENCY'= {
        }
        &'rcli;help;exec;LCS'= {
        }
        &'rcli;help;exec;LINDEX'= {
        }
        &'rcli;help;exec;LINSERT'= {
        }
        &'rcli;help;exec;LLEN'= {
        }
        &'rcli;help;exec;LMOVE'= {
        }
        &'rcli;help;exec;LMPOP'= {
        }
        &'rcli;help;exec;LOLWUT'= {
        }
        &'rcli;help;exec;LPOP'= {
        }
        &'rcli;help;exec;LPOS'= {
        }
        &'rcli;help;exec;LPUSH'= {
        }
        &'rcli;help;exec;LPUSHX'= {
        }
        &'rcli;help;exec;LRANGE'= {
        }
        &'rcli;help;exec;LREM'= {
        }
        &'rcli;help;exec;LSET'= {
        }
        &'rcli;help;exec;LTRIM'= {
        }
        &'rcli;help;exec;MEMORY'= {
        }
        &'rcli;help;exec;MGET'= {
        }
        &'rcli;help;exec;MIGRATE'= {
        }
        &'rcli;help;exec;MODULE'= {
        }
        &'rcli;help;exec;MONITOR'= {
        }
        &'rcli;help;exec;MOVE'= {
        }
        &'rcli;help;exec;MSET'= {
        }
        &'rcli;help;exec;MSETEX'= {
        }
        &'rcli;help;exec;MSETNX'= {
        }
        &'rcli;help;exec;MULTI'= {
        }
        &'rcli;help;exec;OBJECT'= {
        }
        &'rcli;help;exec;PERSIST'= {
        }
        &'rcli;help;exec;PEXPIRE'= {
        }
        &'rcli;help;exec;PEXPIREAT'= {
        }
        &'rcli;help;exec;PEXPIRETIME'= {
        }
        &'rcli;help;exec;PFADD'= {
        }
        &'rcli;help;exec;PFCOUNT'= {
        }
        &'rcli;help;exec;PFDEBUG'= {
        }
        &'rcli;help;exec;PFMERGE'= {
        }
        &'rcli;help;exec;PFSELFTEST'= {
        }
        &'rcli;help;exec;PING'= {
        }
        &'rcli;help;exec;PSETEX'= {
        }
        &'rcli;help;exec;PSUBSCRIBE'= {
        }
        &'rcli;help;exec;PSYNC'= {
        }
        &'rcli;help;exec;PTTL'= {
        }
        &'rcli;help;exec;PUBLISH'= {
        }
        &'rcli;help;exec;PUBSUB'= {
        }
        &'rcli;help;exec;PUNSUBSCRIBE'= {
        }
        &'rcli;help;exec;QUIT'= {
        }
        &'rcli;help;exec;RANDOMKEY'= {
        }
        &'rcli;help;exec;READONLY'= {
        }
        &'rcli;help;exec;READWRITE'= {
        }
        &'rcli;help;exec;RENAME'= {
        }
        &'rcli;help;exec;RENAMENX'= {
        }
        &'rcli;help;exec;REPLCONF'= {
        }
        &'rcli;help;exec;REPLICAOF'= {
        }
        &'rcli;help;exec;RESET'= {
        }
        &'rcli;help;exec;RESTORE'= {
        }
        &'rcli;help;exec;RESTORE-ASKING'= {
        }
        &'rcli;help;exec;ROLE'= {
        }
        &'rcli;help;exec;RPOP'= {
        }
        &'rcli;help;exec;RPOPLPUSH'= {
        }
        &'rcli;help;exec;RPUSH'= {
        }
        &'rcli;help;exec;RPUSHX'= {
        }
        &'rcli;help;exec;SADD'= {
        }
        &'rcli;help;exec;SAVE'= {
        }
        &'rcli;help;exec;SCAN'= {
        }
        &'rcli;help;exec;SCARD'= {
        }
        &'rcli;help;exec;SCRIPT'= {
        }
        &'rcli;help;exec;SDIFF'= {
        }
        &'rcli;help;exec;SDIFFSTORE'= {
        }
        &'rcli;help;exec;SELECT'= {
        }
        &'rcli;help;exec;SET'= {
        }
        &'rcli;help;exec;SETBIT'= {
        }
        &'rcli;help;exec;SETEX'= {
        }
        &'rcli;help;exec;SETNX'= {
        }
        &'rcli;help;exec;SETRANGE'= {
        }
        &'rcli;help;exec;SHUTDOWN'= {
        }
        &'rcli;help;exec;SINTER'= {
        }
        &'rcli;help;exec;SINTERCARD'= {
        }
        &'rcli;help;exec;SINTERSTORE'= {
        }
        &'rcli;help;exec;SISMEMBER'= {
        }
        &'rcli;help;exec;SLAVEOF'= {
        }
        &'rcli;help;exec;SLOWLOG'= {
        }
        &'rcli;help;exec;SMEMBERS'= {
        }
        &'rcli;help;exec;SMISMEMBER'= {
        }
        &'rcli;help;exec;SMOVE'= {
        }
        &'rcli;help;exec;SORT'= {
        }
        &'rcli;help;exec;SORT_RO'= {
        }
        &'rcli;help;exec;SPOP'= {
        }
        &'rcli;help;exec;SPUBLISH'= {
        }
        &'rcli;help;exec;SRANDMEMBER'= {
        }
        &'rcli;help;exec;SREM'= {
        }
        &'rcli;help;exec;SSCAN'= {
        }
        &'rcli;help;exec;SSUBSCRIBE'= {
        }
        &'rcli;help;exec;STRLEN'= {
        }
        &'rcli;help;exec;SUBSCRIBE'= {
        }
        &'rcli;help;exec;SUBSTR'= {
        }
        &'rcli;help;exec;SUNION'= {
        }
        &'rcli;help;exec;SUNIONSTORE'= {
        }
        &'rcli;help;exec;SUNSUBSCRIBE'= {
        }
        &'rcli;help;exec;SWAPDB'= {
        }
        &'rcli;help;exec;SYNC'= {
        }
        &'rcli;help;exec;TIME'= {
        }
        &'rcli;help;exec;TOUCH'= {
        }
        &'rcli;help;exec;TTL'= {
        }
        &'rcli;help;exec;TYPE'= {
        }
        &'rcli;help;exec;UNLINK'= {
        }
        &'rcli;help;exec;UNSUBSCRIBE'= {
        }
        &'rcli;help;exec;UNWATCH'= {
        }
        &'rcli;help;exec;WAIT'= {
        }
        &'rcli;help;exec;WAITAOF'= {
        }
        &'rcli;help;exec;WATCH'= {
        }
        &'rcli;help;exec;XACK'= {
        }
        &'rcli;help;exec;XACKDEL'= {
        }
        &'rcli;help;exec;XADD'= {
        }
        &'rcli;help;exec;XAUTOCLAIM'= {
        }
        &'rcli;help;exec;XCLAIM'= {
        }
        &'rcli;help;exec;XDEL'= {
        }
        &'rcli;help;exec;XDELEX'= {
        }
        &'rcli;help;exec;XGROUP'= {
        }
        &'rcli;help;exec;XINFO'= {
        }
        &'rcli;help;exec;XLEN'= {
        }
        &'rcli;help;exec;XPENDING'= {
        }
        &'rcli;help;exec;XRANGE'= {
        }
        &'rcli;help;exec;XREAD'= {
        }
        &'rcli;help;exec;XREADGROUP'= {
        }
        &'rcli;help;exec;XREVRANGE'= {
        }
        &'rcli;help;exec;XSETID'= {
        }
        &'rcli;help;exec;XTRIM'= {
        }
        &'rcli;help;exec;ZADD'= {
        }
        &'rcli;help;exec;ZCARD'= {
        }
        &'rcli;help;exec;ZCOUNT'= {
        }
        &'rcli;help;exec;ZDIFF'= {
        }
        &'rcli;help;exec;ZDIFFSTORE'= {
        }
        &'rcli;help;exec;ZINCRBY'= {
        }
        &'rcli;help;exec;ZINTER'= {
        }
        &'rcli;help;exec;ZINTERCARD'= {
        }
        &'rcli;help;exec;ZINTERSTORE'= {
        }
        &'rcli;help;exec;ZLEXCOUNT'= {
        }
        &'rcli;help;exec;ZMPOP'= {
        }
        &'rcli;help;exec;ZMSCORE'= {
        }
        &'rcli;help;exec;ZPOPMAX'= {
        }
        &'rcli;help;exec;ZPOPMIN'= {
        }
        &'rcli;help;exec;ZRANDMEMBER'= {
        }
        &'rcli;help;exec;ZRANGE'= {
        }
        &'rcli;help;exec;ZRANGEBYLEX'= {
        }
        &'rcli;help;exec;ZRANGEBYSCORE'= {
        }
        &'rcli;help;exec;ZRANGESTORE'= {
        }
        &'rcli;help;exec;ZRANK'= {
        }
        &'rcli;help;exec;ZREM'= {
        }
        &'rcli;help;exec;ZREMRANGEBYLEX'= {
        }
        &'rcli;help;exec;ZREMRANGEBYRANK'= {
        }
        &'rcli;help;exec;ZREMRANGEBYSCORE'= {
        }
        &'rcli;help;exec;ZREVRANGE'= {
        }
        &'rcli;help;exec;ZREVRANGEBYLEX'= {
        }
        &'rcli;help;exec;ZREVRANGEBYSCORE'= {
        }
        &'rcli;help;exec;ZREVRANK'= {
        }
        &'rcli;help;exec;ZSCAN'= {
        }
        &'rcli;help;exec;ZSCORE'= {
        }
        &'rcli;help;exec;ZUNION'= {
        }
        &'rcli;help;exec;ZUNIONSTORE'= {
        }
        &'rcli;help;help'= {
        }
    ]
    $completions[$command]
}
