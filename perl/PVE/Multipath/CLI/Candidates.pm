package PVE::Multipath::CLI::Candidates;

# pvemultipath candidates: LUNs that the nodes see and that are not on the allow-list.

use v5.36;

use PVE::Multipath::CLI::Output qw(terminal_width print_result plural);
use PVE::Multipath::Candidates;
use PVE::Multipath::Daemon;
use PVE::Multipath::Maps;
use PVE::Multipath::Text qw(characters safe width wrap size shrink table table_width);

my $EXIT_DONE = 0;

# In less, a column cannot be read.
my $LEAST_WIDTH = 12;

# With more nodes, their number is shown.
my $MAX_NODES = 3;

my $kinds = {
    cd => 'CD or DVD drive',
    'local-disk' => 'local disk',
    'native-nvme' => 'NVMe of the kernel',
    'in-use' => 'in use',
    blacklisted => 'blacklisted',
    'missing-property' => 'blacklisted',
    'no-wwid' => 'without WWID',
    'invalid-wwid' => 'without WWID',
    contradictory => 'without WWID',
    'no-answer' => 'not known to multipathd',
    'not-monitored' => 'not known to multipathd',
    empty => 'without capacity',
};

# What is no WWID of multipathd stands in parentheses.
my sub name_of($candidate) {
    return $candidate->{wwid} if defined($candidate->{wwid});
    my $name = $candidate->{'udev-wwid'} // join(',', $candidate->{devs}->@*);
    return "($name)";
}

# The nodes that see it, of all nodes if it is known of each what it sees.
my sub nodes_of($candidate, $nodes) {
    my @seeing = sort keys $candidate->{nodes}->%*;
    return 'all' if @seeing == @$nodes;
    return @seeing <= $MAX_NODES ? join(',', @seeing) : scalar(@seeing) . ' nodes';
}

my sub cells($candidate, $nodes = []) {
    my $protocol = $candidate->{transport} // $candidate->{protocol} // '-';
    my @device = grep { defined } $candidate->@{qw(vendor product serial)};
    return map { safe($_) } (
        name_of($candidate),
        size($candidate->{size}),
        $candidate->{paths},
        @$nodes > 1 ? nodes_of($candidate, $nodes) : (),
        $protocol =~ s/\A(?:scsi:unspec|undef)\z/-/r,
        join(' ', @device) || '-',
        join('; ', ($candidate->{told} // [])->@*),
    );
}

my sub offer_lines($candidates, $nodes, $width) {
    my @rows = map { [cells($_, $nodes)] } @$candidates;
    my @titles = ('WWID', 'SIZE', 'PATHS', @$nodes > 1 ? 'NODES' : (), 'VIA', 'DISK', 'NOTES');
    my $columns = [
        map {
            my $i = $_;
            { title => $titles[$i], cells => [map { $_->[$i] } @rows] }
        } 0 .. $#titles
    ];
    # a line for each; what does not fit is in the JSON
    my $told = pop(@$columns)->{cells};
    my $left = $width - table_width($columns) - 2;
    if ($left >= $LEAST_WIDTH) {
        my $cut = sub($text) {
            return width($text) <= $left ? $text : substr($text, 0, $left - 3) . '...';
        };
        my $last = { title => $titles[-1], cells => [map { $cut->($_) } @$told] };
        return table([@$columns, $last]);
    }
    # no room beside the others
    shrink($columns, $width, 8);
    my @below = map { length($told->[$_]) ? "$rows[$_]->[0]: $told->[$_]" : () } keys @$told;
    return (
        table($columns),
        @below ? ('', map { wrap($_, $width, '    ') } @below) : (),
    );
}

my sub summary($others) {
    my %count;
    $count{ $kinds->{ $_->{reason}->{code} } // 'for another reason' }++ for @$others;
    my @counts = map { "$count{$_} $_" } sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
    return join(', ', @counts);
}

my sub lines($found, $all) {
    my $width = terminal_width();
    my $wrap = sub($text) { wrap(safe($text), $width, '    ') };
    my @offered = grep { $_->{offered} } $found->{candidates}->@*;
    my @others = grep { !$_->{offered} } $found->{candidates}->@*;

    my %nodes = map { $_ => 1 } keys $found->{unknown}->%*, map { keys $_->{nodes}->%* } $found->{candidates}->@*;
    my $several = keys %nodes > 1;
    my @lines = @offered ? offer_lines(\@offered, [sort keys %nodes], $width) : 'No LUNs to add to the allow-list.';
    if (@others && $all) {
        push @lines, '', 'Not offered:', '';
        for my $candidate (@others) {
            my ($name, $size, undef, undef, $device, $told) = cells($candidate);
            my %devs = map { $_ => join(', ', $candidate->{nodes}->{$_}->{devs}->@*) }
                keys $candidate->{nodes}->%*;
            my $devs = join('; ', map { $several ? "$_: $devs{$_}" : $devs{$_} } sort keys %devs);
            push @lines, wrap("$name  $size  $device (" . safe($devs) . "): $told", $width, '    ');
        }
    } elsif (@others) {
        push @lines, '', $wrap->('Not offered: ' . summary(\@others) . '. Use --all to see why.');
    }
    push @lines, '', $wrap->(plural($found->{omitted}, 'more device') . ' left out: there are too many.')
        if $found->{omitted};
    push @lines, '', map { $wrap->("It is not known what $_ sees: $found->{unknown}->{$_}") }
        sort keys $found->{unknown}->%*
        if $found->{unknown}->%*;
    push @lines, '', $wrap->("Use 'pvemultipath wwid add WWID' to add one to the cluster's allow-list.")
        if @offered;
    return @lines;
}

# The candidates that one node sees, with what it says of them.
my sub of_node($found, $node) {
    my $why = $found->{unknown}->{$node};
    die "it is not known what '" . safe($node) . "' sees: $why\n" if defined($why);
    my @candidates;
    for my $candidate ($found->{candidates}->@*) {
        my $sight = $candidate->{nodes}->{$node} // next;
        my $offered = defined($sight->{reason}) ? 0 : 1;
        push @candidates, { %$candidate, reason => undef, %$sight, offered => $offered, nodes => { $node => $sight } };
        delete $candidates[-1]->{reason} if $offered;
    }
    return { %$found, candidates => [sort { $b->{offered} <=> $a->{offered} } @candidates], unknown => {} };
}

sub run($source, $opts) {
    PVE::Multipath::Daemon::assert_supported() if !defined($source);
    $source->refresh() if defined($source);
    my $config = defined($source) ? $source->config() : PVE::Multipath::Maps::known_config();
    my $found = PVE::Multipath::Candidates::of_cluster($source, $config, $opts->{node});
    $found = of_node($found, characters($opts->{node})) if defined($opts->{node});
    print_result($opts, $found, sub() {
        warn $_ for $found->{warnings}->@*;
        return lines($found, $opts->{all});
    });
    return $EXIT_DONE;
}

1;
