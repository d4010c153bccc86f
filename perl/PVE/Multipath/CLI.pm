package PVE::Multipath::CLI;

# The command line of pvemultipath. Its manual is in the program itself.

use v5.36;

use CPAN::Meta::YAML ();
use Getopt::Long ();
use I18N::Langinfo ();
use JSON::PP ();
use List::Util qw(max);
use POSIX ();

use PVE::Multipath;
use PVE::Multipath::Source;
use PVE::Multipath::Text;

my $EXIT_OPTIMAL = 0;
my $EXIT_PROBLEM = 1;
my $EXIT_FAILED = 2;
my $EXIT_ERROR = 3;

my $NO_TERMINAL_WIDTH = 100;
my $LEAST_WIDTH = 40;

# LUNs that are listed by name below the table when they share a reason.
my $MOST_NAMES = 8;

# Told apart without colour, and short where there are many nodes.
my $short_states = {
    optimal => 'ok',
    degraded => 'DEG',
    missing => 'MISS',
    failed => 'FAIL',
    unknown => '?',
};

my sub text($value) {
    return PVE::Multipath::Text::safe($value);
}

# --- the terminal ---

my sub terminal_width() {
    return max($1, $LEAST_WIDTH) if ($ENV{COLUMNS} // '') =~ m/\A([1-9][0-9]{0,4})\z/;
    return $NO_TERMINAL_WIDTH if !-t STDOUT;

    # stty asks about its standard input
    my $size = '';
    if (open(my $saved, '<&', \*STDIN)) {
        if (open(STDIN, '<&', \*STDOUT)) {
            $size = qx{stty size 2>/dev/null} // '';
            open(STDIN, '<&', $saved);
        }
    }
    return $size =~ m/\A\d+ ([1-9]\d*)\s*\z/ ? max($1, $LEAST_WIDTH) : 80;
}

my sub use_color() {
    return 0 if !-t STDOUT || length($ENV{NO_COLOR} // '');
    return ($ENV{TERM} // '') !~ m/\A(?:dumb)?\z/;
}

# What the terminal cannot show is escaped.
my sub encoded($string) {
    POSIX::setlocale(POSIX::LC_CTYPE(), '');
    my $codeset = I18N::Langinfo::langinfo(I18N::Langinfo::CODESET()) // '';
    if ($codeset !~ m/\Autf-?8\z/i) {
        $string =~ s/([^\x00-\x7f])/sprintf('\\x{%x}', ord($1))/ge;
    }
    utf8::encode($string);
    return $string;
}

my sub print_lines(@lines) {
    print STDOUT encoded(join('', map { "$_\n" } @lines));
    return;
}

# --- output formats ---

# JSON with nothing but ASCII: control characters beyond it (C1) steer a terminal as well.
my sub ascii_json($bytes) {
    my $json = $bytes;
    utf8::decode($json);
    return $json =~ s{([^\x20-\x7e\n])}{
        my $code = ord($1);
        $code < 0x10000
            ? sprintf('\\u%04x', $code)
            : sprintf(
                '\\u%04x\\u%04x',
                0xd800 + (($code - 0x10000) >> 10), 0xdc00 + (($code - 0x10000) & 0x3ff),
            );
    }gerx;
}

my sub decode_json_text($bytes) {
    my $class = eval { require JSON::XS; 'JSON::XS' } // 'JSON::PP';
    return $class->new()->utf8()->decode($bytes);
}

my sub print_data($data, $format) {
    if ($format eq 'yaml') {
        my $yaml = CPAN::Meta::YAML->new($data)->write_string();
        # the writer has put texts with these into double quotes
        $yaml =~ s/([\x7f-\x9f])/sprintf('\\x%02x', ord($1))/ge;
        utf8::encode($yaml);
        print STDOUT $yaml;
    } else {
        my $json = JSON::PP->new()->ascii()->canonical();
        $json->pretty() if $format eq 'json-pretty';
        print STDOUT $json->encode($data) =~ s/\n?\z/\n/r;
    }
    return;
}

# --- reasons in words ---

my sub plural($count, $word) {
    return $count == 1 ? "$count $word" : "$count ${word}s";
}

my sub is_count($value) {
    return defined($value) && !ref($value) && $value =~ m/\A-?[0-9]+\z/;
}

# Facts of a map or a cell: { paths-active, paths-total }.
my sub of_paths($facts) {
    my ($active, $total) = $facts->@{qw(paths-active paths-total)};
    return '' if !is_count($active) || !is_count($total);
    return " ($active of " . plural($total, 'path') . ' active)';
}

my $reason_texts = {
    'path-failed' => sub($reason, $facts) {
        my @devs = map { text($_) } ($reason->{devs} // [])->@*;
        my $count = is_count($reason->{count}) ? $reason->{count} : scalar(@devs);
        return 'some path failed' . of_paths($facts) if !$count;
        return plural($count, 'path') . ' failed' . of_paths($facts) if !@devs;

        my $more = $count - @devs;
        my $who = join(', ', @devs) . ($more > 0 ? " and $more more" : '');
        return "$who failed" . of_paths($facts);
    },
    'all-paths-failed' => sub($reason, $facts) {
        my $count = $reason->{count};
        return 'all paths failed' if !is_count($count);
        return $count == 1 ? 'its only path failed' : "all $count paths failed";
    },
    'no-paths' => sub($reason, $facts) { 'the map has no path left' },
    'path-gone' => sub($reason, $facts) {
        my ($present, $expected) = $reason->@{qw(present expected)};
        return 'paths are gone' if !is_count($present) || !is_count($expected);
        return plural($expected - $present, 'path') . " gone ($present of $expected there)";
    },
    'not-assembled' => sub($reason, $facts) { 'no map for this LUN' },
    'node-offline' => sub($reason, $facts) { 'the node is offline' },
    'reporter-stale' => sub($reason, $facts) {
        my $age = $reason->{age};
        return 'the last report is out of date' if !is_count($age);
        return 'the last report is ' . PVE::Multipath::Text::age(-$age) . ' in the future'
            if $age < 0;
        return 'the last report is ' . PVE::Multipath::Text::age($age) . ' old';
    },
    'bad-broadcast' => sub($reason, $facts) {
        my $detail = $reason->{detail};
        return 'the report cannot be read' . (defined($detail) ? ': ' . text($detail) : '');
    },
    'newer-broadcast' => sub($reason, $facts) {
        my $format = $reason->{format};
        return 'the report was made by a newer version'
            . (is_count($format) && $format >= 0 ? " (format $format)" : '');
    },
    'unknown-state' => sub($reason, $facts) { 'the node reports a state that is not known' },
};

my sub reason_text($reason, $facts) {
    my $code = $reason->{code} // 'unknown reason';
    my $render = $reason_texts->{$code};
    return defined($render) ? $render->($reason, $facts) : text($code);
}

# --- status ---

# The text of a cell, in full or as short as it can be told apart.
my sub cell_text($cell, $short) {
    return '-' if !defined($cell);

    my $state = $cell->{state};
    my ($active, $total) = $cell->@{qw(paths-active paths-total)};
    my $numbers = is_count($active) && is_count($total) ? " $active/$total" : '';

    return $state . $numbers if !$short;
    # the numbers of an old report, next to nothing else, would look like a fact
    return $state eq 'unknown' ? '?' : ($short_states->{$state} // text($state)) . $numbers;
}

my sub node_columns($luns, $nodes, $short) {
    return map {
        my $node = $_;
        my @cells = map { $_->{nodes}->{$node} } @$luns;
        {
            title => text($node),
            cells => [map { cell_text($_, $short) } @cells],
            states => [map { defined($_) ? $_->{state} : undef } @cells],
        };
    } @$nodes;
}

# As many node columns to a block as fit beside the first columns; each further block repeats what
# tells the LUNs apart.
my sub matrix_blocks($first, $repeated, $node_columns, $width) {
    # all nodes side by side, if that is possible at all
    my $together = [@$repeated, @$node_columns];
    return ($first, $together) if PVE::Multipath::Text::table_width($together) <= $width;

    my @blocks;
    my @columns = @$first;
    my $pending = [@$node_columns];

    while (1) {
        my $fixed = scalar(@columns);
        while (@$pending) {
            last
                if PVE::Multipath::Text::table_width([@columns, $pending->[0]]) > $width
                # even where it does not fit: it has to be somewhere
                && !(@blocks && @columns == $fixed);
            push @columns, shift @$pending;
        }
        push @blocks, [@columns];
        last if !@$pending;
        @columns = map { { %$_ } } @$repeated;
    }
    return @blocks;
}

my sub matrix_lines($luns, $width, $colored) {
    my %seen;
    $seen{$_}++ for map { keys $_->{nodes}->%* } @$luns;
    my $nodes = [PVE::Multipath::Text::by_number([keys %seen])];

    my $wwid = { title => 'LUN', cells => [map { text($_->{wwid}) } @$luns] };
    my $alias = { title => 'ALIAS', cells => [map { text($_->{alias} // '-') } @$luns] };
    my $state = {
        title => 'STATE',
        cells => [map { $_->{'cluster-state'} } @$luns],
        states => [map { $_->{'cluster-state'} } @$luns],
    };
    my $used_by = { title => 'USED BY', cells => [map { text($_->{'used-by'} // '-') } @$luns] };
    my $size =
        { title => 'SIZE', cells => [map { PVE::Multipath::Text::size($_->{size}) } @$luns] };
    my $first = [$wwid, $alias, $state, $used_by, $size];

    for my $short (0, 1) {
        my @columns = (@$first, node_columns($luns, $nodes, $short));
        next if PVE::Multipath::Text::table_width(\@columns) > $width;
        return ($short, PVE::Multipath::Text::table(\@columns, $colored));
    }

    # Several blocks. An alias tells LUNs apart in less space, where each has one of its own.
    my %labels = map { ($_->{alias} // $_->{wwid}) => 1 } @$luns;
    my $label = {
        title => 'LUN',
        cells => [
            scalar(keys %labels) == @$luns
            ? map { text($_->{alias} // $_->{wwid}) } @$luns
            : $wwid->{cells}->@*
        ],
    };
    PVE::Multipath::Text::shrink($first, $width, 8);
    PVE::Multipath::Text::shrink([$label], int($width / 2), 8);

    my ($short, @blocks);
    for my $try (0, 1) {
        my @node_columns = node_columns($luns, $nodes, $try);
        $_->{width} = max(12, max(map { length } $_->{cells}->@*)) for @node_columns;
        ($short, @blocks) = ($try, matrix_blocks($first, [$label], \@node_columns, $width));
        # in words, as long as that takes no more than one block below the first
        last if @blocks <= 2;
    }

    my @lines;
    for my $block (@blocks) {
        push @lines, '' if @lines;
        push @lines, PVE::Multipath::Text::table($block, $colored);
    }
    return ($short, @lines);
}

# One entry for each reason of each cell that is not optimal; LUNs that share one on a node
# together.
my sub reason_lines($luns, $width) {
    my %groups;

    for my $lun (@$luns) {
        for my $node (keys $lun->{nodes}->%*) {
            my $cell = $lun->{nodes}->{$node};
            next if $cell->{state} eq 'optimal';

            my @texts = map { reason_text($_, $cell) } ($cell->{reasons} // [])->@*;
            # a peer need not give any
            @texts = (of_paths($cell) =~ s/\A \((.*)\)\z/$1/r || 'no reason given') if !@texts;

            for my $words (@texts) {
                my $group = $groups{$node}->{"$cell->{state}: $words"} //=
                    { text => "$cell->{state}: $words", first => $lun->{wwid}, luns => [] };
                push $group->{luns}->@*, text($lun->{alias} // $lun->{wwid});
            }
        }
    }

    my @lines;
    for my $node (PVE::Multipath::Text::by_number([keys %groups])) {
        my @sorted = sort { $a->{first} cmp $b->{first} || $a->{text} cmp $b->{text} }
            values $groups{$node}->%*;
        for my $group (@sorted) {
            # the table shows which
            my @names = $group->{luns}->@*;
            my $who = @names > $MOST_NAMES ? scalar(@names) . ' LUNs' : join(', ', @names);
            push @lines,
                PVE::Multipath::Text::wrap(text($node) . ": $who $group->{text}", $width, '    ');
        }
    }
    return @lines;
}

my sub apply_lines($nodes, $now, $width) {
    my @lines;
    for my $node (PVE::Multipath::Text::by_number([keys %$nodes])) {
        my ($error, $time) = $nodes->{$node}->@{qw(apply-error apply-time)};
        my $when = is_count($time) && is_count($now) && $now >= $time
            ? ' ' . PVE::Multipath::Text::age($now - $time) . ' ago'
            : '';
        push @lines,
            PVE::Multipath::Text::wrap(
                text($node) . ": applying the configuration failed$when: "
                    . PVE::Multipath::Text::one_line($error),
                $width, '    ',
            );
    }
    return @lines;
}

my sub status_summary($luns, $nodes) {
    my %count;
    $count{ $_->{'cluster-state'} }++ for @$luns;
    my @worst_first = qw(failed missing degraded unknown optimal);
    my @states = map { "$count{$_} $_" } grep { $count{$_} } @worst_first;
    my $line = plural(scalar(@$luns), 'LUN') . ': ' . join(', ', @states);

    my $failed = scalar(keys %$nodes);
    $line .= '; ' . plural($failed, 'node') . ' could not apply the configuration' if $failed;
    return $line;
}

my sub status_exit_code($status) {
    my %states;
    for my $lun ($status->{luns}->@*) {
        $states{$_}++
            for $lun->{'cluster-state'}, map { $_->{state} } values $lun->{nodes}->%*;
    }
    return $EXIT_FAILED if grep { $_->{'cluster-state'} eq 'failed' } $status->{luns}->@*;
    return $EXIT_PROBLEM if grep { $_ ne 'optimal' } keys %states;
    return $EXIT_PROBLEM if $status->{nodes}->%*;
    return $EXIT_OPTIMAL;
}

my sub status_lines($status, $now) {
    my ($luns, $nodes) = $status->@{qw(luns nodes)};
    my $width = terminal_width();

    my @lines;
    if (@$luns) {
        my ($short, @matrix) = matrix_lines($luns, $width, use_color());
        push @lines, @matrix;
        if ($short) {
            my @legend =
                map { "$short_states->{$_} $_" } qw(optimal degraded missing failed unknown);
            push @lines, '', PVE::Multipath::Text::wrap(join(', ', @legend), $width, '    ');
        }
    } else {
        push @lines, PVE::Multipath::Text::wrap($_, $width, '    ') for (
            'No LUN is allow-listed, and no node reports a multipath map.',
            "To begin: name a LUN in /etc/pve/multipath.cfg ('wwid: <WWID>'); 'lsblk -o"
                . " NAME,SIZE,WWN,VENDOR,MODEL' shows which disks a node sees.",
        );
    }

    my @below = (
        reason_lines($luns, $width),
        apply_lines($nodes, $now, $width),
    );
    push @lines, '', @below if @below;
    push @lines, '', PVE::Multipath::Text::wrap(status_summary($luns, $nodes), $width, '    ')
        if @$luns;

    return @lines;
}

my sub cmd_status($source, $opts) {
    PVE::Cluster::cfs_update(1) if !$source->is_replay();

    my $args = PVE::Multipath::cluster_status_args($source);
    my $format = $opts->{'output-format'};

    if ($format eq 'json') {
        my $json = PVE::Multipath::cluster_status_json($args);
        print STDOUT ascii_json($json), "\n";
        return status_exit_code(decode_json_text($json));
    }

    my $status = PVE::Multipath::cluster_status($args);
    if ($format eq 'text') {
        print_lines(status_lines($status, $args->{now}));
    } else {
        print_data($status, $format);
    }
    return status_exit_code($status);
}

# --- maps ---

my sub group_text($group) {
    my @parts = ("group $group->{group}: " . text($group->{'dm-state'} // '?'));
    push @parts, "priority $group->{priority}" if is_count($group->{priority});
    push @parts, text($group->{selector}) if defined($group->{selector});
    push @parts, text($group->{'marginal-state'})
        if ($group->{'marginal-state'} // 'normal') ne 'normal';
    return join(', ', @parts);
}

# Names and states as 'multipath -ll' has them, and where the path leads.
my sub path_cells($path) {
    my @states =
        map { $path->{$_} // '-' } qw(dev dev-number dm-state check-state dev-state);

    my @more;
    push @more, $path->{transport} if defined($path->{transport});
    push @more, $path->{'marginal-state'} if ($path->{'marginal-state'} // 'normal') ne 'normal';
    my $from = $path->{'host-wwpn'} // $path->{'host-adapter'};
    my $to = $path->{'target-wwpn'} // $path->{'target-wwnn'};
    push @more, join(' ', $from // (), defined($to) ? ('->', $to) : ());

    return map { text($_) } (@states, join(' ', grep { length } @more));
}

my sub head_parts($map) {
    my @parts = ($map->{wwid});
    push @parts, $map->{name} if $map->{name} ne $map->{wwid};
    push @parts, $map->{sysfs};
    push @parts, PVE::Multipath::Text::size($map->{size}) if defined($map->{size});
    push @parts, join(' ', grep { defined } $map->@{qw(vendor product)});
    push @parts, $map->{transport} if defined($map->{transport});
    push @parts, 'in use' if $map->{used};
    push @parts, 'read-only' if $map->{'write-protected'};
    push @parts, 'suspended' if $map->{'dm-state'} eq 'suspend';
    push @parts, "queueing $map->{queueing}" if ($map->{queueing} // 'off') ne 'off';

    return map { text($_) } grep { length } @parts;
}

# Two blanks between parts, as many parts to a line as fit.
my sub join_parts($parts, $width, $indent) {
    my @lines;
    for my $part (@$parts) {
        if (@lines && PVE::Multipath::Text::width("$lines[-1]  $part") <= $width) {
            $lines[-1] .= "  $part";
        } else {
            push @lines, @lines ? "$indent$part" : $part;
        }
    }
    return @lines;
}

my sub map_lines($map, $width, $colored) {
    my $health = "$map->{health} $map->{'paths-active'}/$map->{'paths-total'}";

    my @lines = join_parts([$health, head_parts($map)], $width, '    ');
    # the line begins with it
    substr($lines[0], 0, length($health)) =
        PVE::Multipath::Text::color($health, $map->{health}, $colored);

    push @lines, map { '    ' . $_ }
        map { PVE::Multipath::Text::wrap(reason_text($_, $map), $width - 4, '    ') }
        ($map->{reasons} // [])->@*;

    my @groups = $map->{'path-groups'}->@*;
    my @rows = map { [path_cells($_)] } map { $_->{paths}->@* } @groups;
    my @widths = map {
        my $i = $_;
        max(0, map { PVE::Multipath::Text::width($_->[$i]) } @rows);
    } 0 .. 4;

    for my $i (0 .. $#groups) {
        my $is_last_group = $i == $#groups;
        push @lines, ($is_last_group ? '`-' : '|-') . '+- ' . group_text($groups[$i]);

        my @paths = $groups[$i]->{paths}->@*;
        for my $j (0 .. $#paths) {
            my @cells = path_cells($paths[$j]);
            my $more = pop @cells;
            my $bars = $is_last_group ? '  ' : '| ';
            my $is_last = $j == $#paths;

            my $line = $bars . ($is_last ? '`- ' : '|- ');
            my $columns = length($line);
            for my $k (0 .. $#cells) {
                my $padding = ' ' x ($widths[$k] - PVE::Multipath::Text::width($cells[$k]));
                my $state = $cells[2] eq 'active' ? 'optimal' : 'failed';
                $line .= PVE::Multipath::Text::color($cells[$k], $state, $colored && $k == 2);
                $line .= "$padding  ";
                $columns += $widths[$k] + 2;
            }

            if ($columns + PVE::Multipath::Text::width($more) <= $width) {
                push @lines, "$line$more" =~ s/ +\z//r;
            } else {
                my $indent = $bars . ($is_last ? '  ' : '| ') . '    ';
                my @rest = PVE::Multipath::Text::wrap($more, $width - length($indent));
                push @lines, $line =~ s/ +\z//r, map { "$indent$_" } @rest;
            }
        }
    }
    return @lines;
}

my sub maps_lines($maps) {
    return ("No multipath map on this node.") if !@$maps;

    my ($width, $colored) = (terminal_width(), use_color());
    my (@lines, %count);
    for my $map (@$maps) {
        $count{ $map->{health} }++;
        push @lines, map_lines($map, $width, $colored), '';
    }
    my @states = map { "$count{$_} $_" } grep { $count{$_} } qw(failed degraded optimal);
    return (@lines, plural(scalar(@$maps), 'map') . ': ' . join(', ', @states));
}

my sub cmd_maps($source, $opts) {
    my $maps = PVE::Multipath::get_maps(defined($source) ? $source->node($opts->{node}) : undef);

    if ($opts->{'output-format'} eq 'text') {
        print_lines(maps_lines($maps));
    } else {
        print_data($maps, $opts->{'output-format'});
    }

    my %states = map { $_->{health} => 1 } @$maps;
    return $EXIT_FAILED if $states{failed};
    return (grep { $_ ne 'optimal' } keys %states) ? $EXIT_PROBLEM : $EXIT_OPTIMAL;
}

# --- the program ---

my $formats = { map { $_ => 1 } qw(text json json-pretty yaml) };

# cluster: needs the cluster's data; otherwise the node's own are enough
my $commands = {
    status => { code => \&cmd_status, cluster => 1, options => [] },
    maps => { code => \&cmd_maps, options => ['node=s'] },
};

my sub usage_error($text) {
    die "$text\ntry 'pvemultipath --help'\n";
}

my sub help() {
    require Pod::Usage;
    Pod::Usage::pod2usage(
        -input => $0,
        -output => \*STDOUT,
        -verbose => 1,
        -exitval => 'NOEXIT',
        -noperldoc => 1,
    );
    return $EXIT_OPTIMAL;
}

my sub parse_options($args, $opts, @spec) {
    my @problems;
    local $SIG{__WARN__} = sub($text) { push @problems, $text };
    my $parser = Getopt::Long::Parser->new(config => [qw(bundling no_auto_abbrev no_ignore_case)]);
    $parser->getoptionsfromarray($args, $opts, @spec)
        or usage_error(join('', @problems) =~ s/\n\z//r);
    return;
}

my sub dispatch(@args) {
    my $opts = { 'output-format' => 'text' };

    my $name = @args && $args[0] !~ m/^-/ ? shift @args : undef;
    return help() if defined($name) && $name eq 'help';

    my $command = defined($name) ? $commands->{$name} : undef;
    usage_error("unknown command '" . text($name) . "'") if defined($name) && !defined($command);

    parse_options(
        \@args, $opts,
        'help|h', 'version|V',
        defined($command) ? ('replay=s', 'output-format=s', $command->{options}->@*) : (),
    );

    return help() if $opts->{help};
    if ($opts->{version}) {
        print STDOUT "pvemultipath $PVE::Multipath::VERSION\n";
        return $EXIT_OPTIMAL;
    }

    usage_error("no command given") if !defined($command);
    usage_error("unexpected argument '" . text($args[0]) . "'") if @args;
    usage_error("unknown output format '" . text($opts->{'output-format'}) . "', known are: "
            . join(', ', sort keys %$formats))
        if !$formats->{ $opts->{'output-format'} };
    usage_error("--node is for recordings, together with --replay")
        if defined($opts->{node}) && !defined($opts->{replay});

    my $source;
    if (defined($opts->{replay})) {
        $source = PVE::Multipath::Source->replay($opts->{replay});
    } elsif ($command->{cluster}) {
        $source = eval { PVE::Multipath::Source->live() }
            // die(($@ =~ s/\n\z//r) . "; to look at recorded data, use --replay DIR\n");
    }

    return $command->{code}->($source, $opts);
}

sub main(@args) {
    local $SIG{__WARN__} = sub($text) {
        print STDERR encoded('warning: ' . PVE::Multipath::Text::one_line($text) . "\n");
    };

    my $exit_code = eval { dispatch(@args) };
    if (my $err = $@) {
        chomp $err;
        my @lines = map { text($_) } split(/\n/, $err);
        print STDERR encoded(join("\n", 'error: ' . shift(@lines), @lines) . "\n");
        $exit_code = $EXIT_ERROR;
    }

    # a full disk must not look like a healthy cluster
    if (!close(STDOUT)) {
        print STDERR "error: cannot write the output - $!\n";
        $exit_code = $EXIT_ERROR;
    }
    return $exit_code;
}

1;
