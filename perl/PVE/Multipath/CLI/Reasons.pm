package PVE::Multipath::CLI::Reasons;

# The reasons and notes of a map or a cell, in words, and the causes that a cell names.

use v5.36;

use Exporter qw(import);

use PVE::Multipath::CLI::Output qw(plural is_count);
use PVE::Multipath::Text qw(safe age);
use PVE::RS::Multipath::Doctor;

our @EXPORT_OK = qw(reason_text cell_reasons lasting note_text urgent_notes of_paths causes_of);

# Facts of a map or a cell: { paths-active, paths-total }.
sub of_paths($facts) {
    my ($active, $total) = $facts->@{qw(paths-active paths-total)};
    return '' if !is_count($active) || !is_count($total);
    return " ($active of " . plural($total, 'path') . ' active)';
}

my $reason_texts = {
    'path-failed' => sub($reason, $facts) {
        my @devs = map { safe($_) } ($reason->{devs} // [])->@*;
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
    'no-paths' => sub($reason, $facts) { 'the map has no paths' },
    'path-gone' => sub($reason, $facts) {
        my ($present, $expected) = $reason->@{qw(present expected)};
        return 'paths are gone' if !is_count($present) || !is_count($expected);
        return plural($expected - $present, 'path') . " gone ($present of $expected present)";
    },
    'not-assembled' => sub($reason, $facts) { 'no map for this LUN' },
    'no-report' => sub($reason, $facts) { 'the node has not sent a report' },
    'node-offline' => sub($reason, $facts) { 'the node is offline' },
    'reporter-stale' => sub($reason, $facts) {
        my $age = $reason->{age};
        return 'the last report is out of date' if !is_count($age);
        return 'the last report is ' . age(-$age) . ' in the future'
            if $age < 0;
        return 'the last report is ' . age($age) . ' old';
    },
    'no-multipathd' => sub($reason, $facts) {
        my $state = {
            stopped => 'multipathd is not running',
            'not-installed' => 'multipath-tools is not installed',
        }->{ $reason->{multipathd} // '' } // 'multipathd does not answer';
        my $age = $reason->{age};
        return $state . (is_count($age) ? ': the last maps are ' . age($age) . ' old' : '');
    },
    'bad-broadcast' => sub($reason, $facts) {
        my $detail = $reason->{detail};
        return 'the report cannot be read' . (defined($detail) ? ': ' . safe($detail) : '');
    },
    'newer-broadcast' => sub($reason, $facts) {
        my $format = $reason->{format};
        return 'the report was made by a newer version'
            . (is_count($format) && $format >= 0 ? " (format $format)" : '');
    },
    'unknown-state' => sub($reason, $facts) { 'the node reports an unknown state' },
};

my sub through($what, $note) {
    my $through = $note->{through};
    return "all active paths run through one $what"
        . (defined($through) ? ' (' . safe($through) . ')' : '');
}

# The note is about all active paths, so a peer need not send their number.
my sub active_paths($note, $facts, $one, $many) {
    my $count = $note->{count} // $facts->{'paths-active'};
    return "all active paths are $many" if !is_count($count);
    return $count == 1 ? "the only active path is $one" : "all $count active paths are $many";
}

my $note_texts = {
    'single-hba' => sub($note, $facts) { through('HBA', $note) },
    'single-target-port' => sub($note, $facts) { through('port of the array', $note) },
    'single-target' => sub($note, $facts) { through('target', $note) },
    'more-paths-than-configured' => sub($note, $facts) {
        my $configured = $note->{configured} // $facts->{'paths-expected'};
        return 'there are more paths than configured'
            . (is_count($configured) ? " ($configured)" : '');
    },
    suspended => sub($note, $facts) { 'the map is suspended: I/O waits until it is resumed' },
    'all-paths-marginal' => sub($note, $facts) {
        return active_paths($note, $facts, 'marginal', 'marginal');
    },
    'all-checkers-faulty' => sub($note, $facts) {
        my $faulty = 'faulty for the path checker, but device-mapper still uses';
        return active_paths($note, $facts, "$faulty it", "$faulty them");
    },
};

# A map with one of these may not serve any I/O although its state is good.
my $urgent = { map { $_ => 1 } qw(suspended all-paths-marginal all-checkers-faulty) };

sub urgent_notes($notes) {
    return grep { $urgent->{ $_->{code} // '' } } ($notes // [])->@*;
}

sub note_text($note, $facts) {
    my $code = $note->{code} // 'unknown note';
    my $render = $note_texts->{$code};
    return defined($render) ? $render->($note, $facts) : safe($code);
}

sub reason_text($reason, $facts) {
    my $code = $reason->{code} // 'unknown reason';
    my $render = $reason_texts->{$code};
    return $render->($reason, $facts) if defined($render);
    # the library has the sentences of why a node has no map
    return safe(PVE::RS::Multipath::Doctor::absence_text($reason) // $code);
}

# The causes of a cell, of those in the cluster's status.
sub causes_of($cell, $causes) {
    return grep { defined } map { $causes->[$_] } grep { is_count($_) && $_ >= 0 } ($cell->{causes} // [])->@*;
}

my sub port_text($cause) {
    return 'target port ' . safe($cause->{target}) if $cause->{code} eq 'target-port';
    my ($host, $initiator) = $cause->@{qw(host initiator)};
    return 'port ' . safe($initiator) if !is_count($host);
    return "host$host" . (defined($initiator) ? ' (' . safe($initiator) . ')' : '');
}

# The reasons of a cell, the ports that broke first. $facts as for reason_text.
sub cell_reasons($cell, $causes, $facts) {
    my @ports = map { port_text($_) } causes_of($cell, $causes);
    return map {
        my $text = reason_text($_, $facts);
        # only reasons about paths have ports
        @ports && $_->{code} =~ m/path/ ? 'through ' . join(' and ', @ports) . ": $text" : $text;
    } ($cell->{reasons} // [])->@*;
}

# " for 3 h", how long a cell has had its state, if it is known.
sub lasting($cell, $now) {
    my $since = $cell->{since};
    return '' if !is_count($since) || !is_count($now) || $since > $now;
    return ' for ' . age($now - $since);
}

1;
