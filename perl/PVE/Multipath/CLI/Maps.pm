package PVE::Multipath::CLI::Maps;

# pvemultipath maps: the maps of a node with their path groups and paths.

use v5.36;

use List::Util qw(max);

use PVE::Multipath;
use PVE::Multipath::CLI::Output qw(terminal_width use_color plural is_count print_result);
use PVE::Multipath::CLI::Reasons qw(reason_text note_text);
use PVE::Multipath::Node;
use PVE::Multipath::Text qw(safe width pad wrap size color);
use PVE::Multipath::Uses;

my $EXIT_OPTIMAL = 0;
my $EXIT_PROBLEM = 1;
my $EXIT_FAILED = 2;

my sub group_text($group) {
    my @parts = ("group $group->{group}: " . safe($group->{'dm-state'} // '?'));
    push @parts, "priority $group->{priority}" if is_count($group->{priority});
    push @parts, safe($group->{selector}) if defined($group->{selector});
    push @parts, safe($group->{'marginal-state'})
        if ($group->{'marginal-state'} // 'normal') ne 'normal';
    return join(', ', @parts);
}

# Names and states as in 'multipath -ll', and the two ends of the path.
my sub path_cells($path) {
    my @states =
        map { $path->{$_} // '-' } qw(dev dev-number dm-state check-state dev-state);

    my @more;
    push @more, $path->{transport} if defined($path->{transport});
    push @more, $path->{'marginal-state'} if ($path->{'marginal-state'} // 'normal') ne 'normal';
    my $from = $path->{'host-wwpn'} // $path->{'host-adapter'};
    my $to = $path->{'target-wwpn'} // $path->{'target-wwnn'};
    push @more, join(' ', $from // (), defined($to) ? ('->', $to) : ());

    return map { safe($_) } (@states, join(' ', grep { length } @more));
}

my sub head_parts($map) {
    my @parts = ($map->{wwid});
    push @parts, $map->{name} if $map->{name} ne $map->{wwid};
    push @parts, $map->{sysfs};
    push @parts, size($map->{size}) if defined($map->{size});
    push @parts, join(' ', grep { defined } $map->@{qw(vendor product)});
    push @parts, $map->{transport} if defined($map->{transport});
    push @parts, 'in use' if $map->{used};
    push @parts, 'read-only' if $map->{'write-protected'};
    push @parts, 'suspended' if $map->{'dm-state'} eq 'suspend';
    push @parts, "queueing $map->{queueing}" if ($map->{queueing} // 'off') ne 'off';

    return map { safe($_) } grep { length } @parts;
}

# Parts separated by two blanks, as many per line as fit.
my sub join_parts($parts, $width, $indent) {
    my @lines;
    for my $part (@$parts) {
        if (@lines && width("$lines[-1]  $part") <= $width) {
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
    substr($lines[0], 0, length($health)) =
        color($health, $map->{health}, $colored);

    push @lines, map { '    ' . $_ }
        map { wrap($_, $width - 4, '    ') } (
            (map { reason_text($_, $map) } ($map->{reasons} // [])->@*),
            (map { 'note: ' . note_text($_, $map) } ($map->{notes} // [])->@*),
            (map { 'use: ' . safe($_->{text}) } ($map->{uses} // [])->@*),
        );

    my @groups = $map->{'path-groups'}->@*;
    my @rows = map { [path_cells($_)] } map { $_->{paths}->@* } @groups;
    my @widths = map {
        my $i = $_;
        max(0, map { width($_->[$i]) } @rows);
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
                my $state = $cells[2] eq 'active' ? 'optimal' : 'failed';
                $line .= color(pad($cells[$k], $widths[$k]), $state, $colored && $k == 2) . '  ';
                $columns += $widths[$k] + 2;
            }

            if ($columns + width($more) <= $width) {
                push @lines, "$line$more" =~ s/ +\z//r;
            } else {
                my $indent = $bars . ($is_last ? '  ' : '| ') . '    ';
                my @rest = wrap($more, $width - length($indent));
                push @lines, $line =~ s/ +\z//r, map { "$indent$_" } @rest;
            }
        }
    }
    return @lines;
}

my sub maps_lines($maps) {
    return ('No multipath map on this node.') if !@$maps;

    my ($width, $colored) = (terminal_width(), use_color());
    my (@lines, %count);
    for my $map (@$maps) {
        $count{ $map->{health} }++;
        push @lines, map_lines($map, $width, $colored), '';
    }
    my @states = map { "$count{$_} $_" } grep { $count{$_} } qw(failed degraded optimal);
    return (@lines, plural(scalar(@$maps), 'map') . ': ' . join(', ', @states));
}

sub run($source, $opts) {
    my @recorded = defined($source) ? ($source->node($opts->{node}), $source->config()) : ();
    my $maps = PVE::Multipath::get_maps(@recorded);
    my $uses = PVE::Multipath::Uses::of_node($recorded[0] // PVE::Multipath::Node->live());
    if (defined($uses)) {
        my $unread = $uses->{unread};
        warn "the uses of the maps may be incomplete, $_: $unread->{$_}\n" for sort keys %$unread;
        $_->{uses} = $uses->{maps}->{ $_->{wwid} } // [] for @$maps;
    }

    print_result($opts, $maps, sub() { maps_lines($maps) });

    my %states = map { $_->{health} => 1 } @$maps;
    return $EXIT_FAILED if $states{failed};
    return (grep { $_ ne 'optimal' } keys %states) ? $EXIT_PROBLEM : $EXIT_OPTIMAL;
}

1;
